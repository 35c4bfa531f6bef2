/** What this instance holds of the limits that the fleet shares, as Prometheus series and in /stats. */
import type { Registry } from 'prom-client';
import type { QuotaReading } from '../admission/fleet-rate-limiter.ts';
import { tick } from './clock.ts';
import type { RateLimitReading } from './rate-limit-metrics.ts';
import { seriesIn } from './series.ts';

const states: readonly QuotaReading['state'][] = ['leased', 'safe', 'newcomer', 'open', 'closed'];

interface Held {
  readonly limit: string;
  readonly route: string;
  readonly reading: QuotaReading;
}

export function* quotaReadings(rules: Iterable<RateLimitReading>): Iterable<Held> {
  const nowMs = tick();
  for (const { route, rule } of rules) {
    if (rule.fleet !== null) yield { limit: rule.name, route, reading: rule.fleet.reading(nowMs) };
  }
}

export function defineQuotaMetrics(registry: Registry, read: () => Iterable<RateLimitReading>): void {
  const series = seriesIn(registry);
  const labels = ['limit', 'route'] as const;
  const gauge = (name: string, help: string, of: (reading: QuotaReading) => number): void =>
    series.gauge(name, help, labels, (into) => {
      for (const { limit, route, reading } of quotaReadings(read())) into.set({ limit, route }, of(reading));
    });
  const counter = (name: string, help: string, of: (reading: QuotaReading) => number): void =>
    series.counter(name, help, labels, (into) => {
      for (const { limit, route, reading } of quotaReadings(read())) into.inc({ limit, route }, of(reading));
    });
  gauge(
    'weir_quota_rate',
    'What this instance may admit a second of a limit that the fleet shares, by cost; 0 with chunks.',
    ({ rate }) => rate,
  );
  gauge('weir_quota_safe_rate', 'What it may admit a second when its lease has run out.', ({ safeRate }) => safeRate);
  gauge('weir_quota_level', 'Cost that it would admit at once.', ({ level }) => level);
  gauge('weir_quota_state', `${states.map((state, i) => `${i} ${state}`).join(', ')}.`, ({ state }) =>
    states.indexOf(state),
  );
  counter('weir_quota_demand_total', 'Cost asked of a limit that the fleet shares.', ({ demand }) => demand);
  counter('weir_quota_admitted_total', 'Of it, what was admitted.', ({ admitted }) => admitted);
  counter(
    'weir_quota_overshoot_total',
    'Of that, what no lease or share covered: only where the policy is open without the control plane.',
    ({ overshoot }) => overshoot,
  );
}
