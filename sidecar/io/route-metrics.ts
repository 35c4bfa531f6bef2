/** Metrics by route: as many series as the policies in force have routes, since requests of no route are in the others. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { RouteCounts } from '../policy/route-counts.ts';
import type { Breaker } from '../resilience/breaker.ts';

export interface RouteReading {
  readonly direction: 'inbound' | 'outbound';
  readonly upstream: string;
  readonly counts: RouteCounts;
  /** That the route has for itself. */
  readonly breaker: Breaker | null;
}

export function defineRouteMetrics(registry: Registry, read: () => Iterable<RouteReading>): void {
  const registers = [registry];
  new Counter({
    name: 'weir_route_requests_total',
    help: 'Requests of a route by how they ended; would_reject and fallback count beside the others.',
    labelNames: ['direction', 'upstream', 'route', 'outcome'],
    registers,
    collect() {
      this.reset();
      for (const { direction, upstream, counts } of read()) {
        for (const [outcome, count] of counts.totals()) {
          if (count > 0) this.inc({ direction, upstream, route: counts.route, outcome }, count);
        }
      }
    },
  });
  new Gauge({
    name: 'weir_route_breaker_state',
    help: '0 closed, 1 half-open, 2 open, of routes that have a circuit breaker for themselves.',
    labelNames: ['upstream', 'route'],
    registers,
    collect() {
      this.reset();
      for (const { upstream, counts, breaker } of read()) {
        if (breaker !== null) this.set({ upstream, route: counts.route }, breaker.state);
      }
    },
  });
}
