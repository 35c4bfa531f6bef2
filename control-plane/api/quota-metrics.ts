/**
 * The limits that this control plane shares among instances, as Prometheus series. Services are labels here, since there
 * are only as many as policies have such limits, and each is shown by the one control plane that leads it.
 */
import type { Registry } from 'prom-client';
import type { QuotaView } from '../../proto/api.ts';
import { seriesIn } from './series.ts';

export interface QuotaFacts {
  readonly target: string;
  readonly view: QuotaView;
}

/** Series beyond that are left out; the API shows all. */
const limitsMax = 1000;

export function defineQuotaMetrics(registry: Registry, read: () => Iterable<QuotaFacts>): void {
  function* shown(): Iterable<QuotaFacts> {
    let count = 0;
    for (const quota of read()) {
      if (quota.view.leading && count++ < limitsMax) yield quota;
    }
  }
  const series = seriesIn(registry);
  const labels = ['target', 'limit'] as const;
  const gauge = (name: string, help: string, of: (view: QuotaView) => number): void =>
    series.gauge(name, help, labels, (into) => {
      for (const { target, view } of shown()) into.set({ target, limit: view.limit }, of(view));
    });
  gauge('weir_quota_utilisation_ratio', 'Admitted by all instances, of the rate.', (view) => view.utilisation);
  gauge(
    'weir_quota_leased_ratio',
    'What the instances that are heard may admit, of the rate.',
    (view) => view.leasedPerSecond / view.ratePerSecond,
  );
  gauge(
    'weir_quota_reserved_ratio',
    'Kept for instances that are silent or not known, of the rate: what safety costs.',
    (view) => view.reservedPerSecond / view.ratePerSecond,
  );
  gauge('weir_quota_demand', 'Asked for a second, by cost.', (view) => view.demandPerSecond);
  gauge('weir_quota_instances', 'Instances that may hold a part.', (view) => view.instances);
  series.counter(
    'weir_quota_overshoot_total',
    'Cost admitted without a lease, as instances reported it: only where a policy is open.',
    labels,
    (into) => {
      for (const { target, view } of shown()) into.inc({ target, limit: view.limit }, view.overshoot);
    },
  );
}
