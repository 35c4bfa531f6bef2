/** Rate limits as Prometheus series, read at the scrape: as many as the policy of the own service has limits. */
import type { Registry } from 'prom-client';
import type { Rule } from '../policy/rule.ts';
import { seriesIn } from './series.ts';

export interface RateLimitReading {
  /** Empty for the service's own. */
  readonly route: string;
  readonly rule: Rule;
}

export function defineRateLimitMetrics(registry: Registry, read: () => Iterable<RateLimitReading>): void {
  const series = seriesIn(registry);
  const labels = ['limit', 'route'] as const;
  series.gauge('weir_rate_limit_waiting', 'Requests that wait for their turn at a leaky bucket.', labels, (into) => {
    for (const { route, rule } of read()) {
      if (rule.settings.waitingMax > 0) into.set({ limit: rule.name, route }, rule.waiting);
    }
  });
  series.counter(
    'weir_rate_limit_key_overflows_total',
    'Requests whose key found no place in the table of keys, and which shared one bucket with others like them.',
    labels,
    (into) => {
      for (const { route, rule } of read()) {
        if (rule.key.kind !== 'none') into.inc({ limit: rule.name, route }, rule.overflows);
      }
    },
  );
}
