/** Retries, hedges and what is left of their budget, by target. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { TrafficStats } from '../exchange/traffic-stats.ts';
import { hedgeResultNames, retryResultNames } from '../resilience/retry-results.ts';

export function defineRetryMetrics(registry: Registry, traffic: () => Iterable<TrafficStats>): void {
  const registers = [registry];
  const results = (
    name: string,
    help: string,
    names: readonly string[],
    countsOf: (stats: TrafficStats) => Float64Array,
  ): Counter<'upstream' | 'result'> =>
    new Counter({
      name,
      help,
      labelNames: ['upstream', 'result'],
      registers,
      collect() {
        this.reset();
        for (const stats of traffic()) {
          const counts = countsOf(stats);
          for (const [i, result] of names.entries()) {
            if (counts[i]! > 0) this.inc({ upstream: stats.peer, result }, counts[i]!);
          }
        }
      },
    });
  results(
    'weir_retries_total',
    'Failed attempts that the policy would repeat, by what became of them; retried: another attempt was made.',
    retryResultNames,
    (stats) => stats.retries,
  );
  results(
    'weir_hedges_total',
    'Hedges that were due, by what became of them; of those sent, won is how many answered first.',
    hedgeResultNames,
    (stats) => stats.hedges,
  );
  new Gauge({
    name: 'weir_retry_budget_remaining',
    help: 'Retries that could be made at once, as of the last request.',
    labelNames: ['upstream'],
    registers,
    collect() {
      this.reset();
      for (const { direction, peer: upstream, retryBudgetLeft } of traffic()) {
        if (direction === 'outbound') this.set({ upstream }, retryBudgetLeft);
      }
    },
  });
}
