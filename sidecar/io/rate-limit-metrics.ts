/** Rate limits as Prometheus series, read at the scrape: as many as the policy of the own service has limits. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Rule } from '../policy/rule.ts';

export interface RateLimitReading {
  /** Empty for the service's own. */
  readonly route: string;
  readonly rule: Rule;
}

export function defineRateLimitMetrics(registry: Registry, read: () => Iterable<RateLimitReading>): void {
  const registers = [registry];
  const labelNames = ['limit', 'route'];
  new Gauge({
    name: 'weir_rate_limit_waiting',
    help: 'Requests that wait for their turn at a leaky bucket.',
    labelNames,
    registers,
    collect() {
      this.reset();
      for (const { route, rule } of read()) {
        if (rule.settings.waitingMax > 0) this.set({ limit: rule.name, route }, rule.waiting);
      }
    },
  });
  new Counter({
    name: 'weir_rate_limit_key_overflows_total',
    help: 'Requests whose key found no place in the table of keys, and which shared one bucket with others like them.',
    labelNames,
    registers,
    collect() {
      this.reset();
      for (const { route, rule } of read()) {
        if (rule.key.kind !== 'none') this.inc({ limit: rule.name, route }, rule.overflows);
      }
    },
  });
}
