/**
 * What an autoscaler may go by, as Prometheus series: of the services with sidecars, so many of them at most. Where it is
 * not known how many are wanted there is no series, which is not a series of zero.
 */
import type { Registry } from 'prom-client';
import type { ScalingView } from '../../proto/api.ts';
import { parseServiceKey, type ServiceName } from '../../proto/subjects.ts';
import { seriesIn } from './series.ts';

export interface ScalingFacts {
  readonly name: ServiceName;
  readonly view: ScalingView;
}

/** Services beyond that are left out; the API answers for all. */
export const scaledServicesMax = 500;

/** Of the fleet service. */
export interface ScaledFleet {
  readonly view: { services(): string[] };
  scaling(service: string): ScalingView;
}

export function* scalingFacts(fleet: ScaledFleet): Iterable<ScalingFacts> {
  for (const key of fleet.view.services().sort().slice(0, scaledServicesMax)) {
    const name = parseServiceKey(key);
    if (name) yield { name, view: fleet.scaling(key) };
  }
}

export function defineScalingMetrics(registry: Registry, read: () => Iterable<ScalingFacts>): void {
  let last: readonly ScalingFacts[] = [];
  const series = seriesIn(registry);
  const gauge = (name: string, help: string, of: (view: ScalingView) => number | null, isFirst = false): void =>
    series.gauge(name, help, ['namespace', 'service'], (into) => {
      // Read once a scrape: the first that is asked reads for all.
      if (isFirst) last = [...read()];
      for (const { name: labels, view } of last) {
        const value = of(view);
        if (value !== null) into.set({ ...labels }, value);
      }
    });
  gauge('weir_scaling_wanted_instances', 'Instances that the service wants.', ({ wanted }) => wanted, true);
  gauge('weir_scaling_demand', 'Requests at once, with those refused for want of capacity.', (view) =>
    view.wanted === null ? null : view.demand,
  );
  gauge(
    'weir_scaling_bottleneck',
    '1 while what the service calls refuses it: more instances would not help.',
    (view) => (view.wanted === null ? null : view.bottleneck === 'downstream' ? 1 : 0),
  );
}
