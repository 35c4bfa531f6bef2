/**
 * GET /metrics. The request path only increments typed arrays; they become Prometheus series here, at the scrape, so a
 * request costs no look-up of labels. Paths and instances are never labels: strangers could make those grow.
 */
import { timingSafeEqual } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { type Counter, Registry } from 'prom-client';
import { bucketUpperUs, type Histogram } from '../../proto/kernel/histogram.ts';
import { reasonName } from '../../proto/reasons.ts';
import { fallbackKinds, type TrafficStats } from '../exchange/traffic-stats.ts';
import type { FlowReading } from '../http2/flow-view.ts';
import { limitName } from '../http2/limit-codes.ts';
import { ejectionCauses } from '../resilience/ejection.ts';
import { defineConcurrencyMetrics, type LimitReading } from './concurrency-metrics.ts';
import { createDoor } from './door.ts';
import { defineFlowMetrics } from './flow-metrics.ts';
import { defineMessageMetrics } from './message-metrics.ts';
import type { WorkerReading } from './plane.ts';
import type { OverloadReading } from './plane-readings.ts';
import { definePriorityMetrics, type PriorityReading } from './priority-metrics.ts';
import { defineQueueMetrics, type QueueReading } from './queue-metrics.ts';
import { defineQuotaMetrics } from './quota-metrics.ts';
import { defineRateLimitMetrics, type RateLimitReading } from './rate-limit-metrics.ts';
import { defineRetryMetrics } from './retry-metrics.ts';
import { defineRouteMetrics, type RouteReading } from './route-metrics.ts';
import { seriesIn } from './series.ts';
import { defineStaleMetrics, type StaleReading } from './stale-metrics.ts';
import { defineTlsMetrics } from './tls/tls-metrics.ts';
import type { TlsReading } from './tls/tls-stats.ts';
import type { EndpointHealthReading } from './upstream/endpoint-health.ts';
import type { PoolCounts } from './upstream/pool-counts.ts';

export interface BreakerReading {
  readonly upstream: string;
  readonly state: number;
}

/** What a scrape reads; everything is as of now. */
export interface MetricFacts {
  readonly version: string;
  traffic(): Iterable<TrafficStats>;
  breakers(): Iterable<BreakerReading>;
  routes(): Iterable<RouteReading>;
  /** By "upstream|from|to", as labels of one counter. */
  breakerTransitions(): ReadonlyMap<string, number>;
  overload(): OverloadReading;
  flow(): FlowReading;
  priorities(): PriorityReading;
  /** Empty where requests run in the main thread. */
  workers(): readonly WorkerReading[];
  /** By `Limit` code. */
  limitTrips(): Float64Array;
  endpointHealth(): Iterable<EndpointHealthReading>;
  /** HTTP/2 connections to endpoints that take requests. */
  upstreamConnections(): number;
  poolCounts(): Readonly<PoolCounts>;
  limits(): Iterable<LimitReading>;
  rateLimits(): Iterable<RateLimitReading>;
  stale(): Iterable<StaleReading>;
  queueDepth(): number;
  bufferedBytes(): number;
  connections(): number;
  loopLagSeconds(): number;
  controlPlaneConnected(): boolean;
  policyVersions(): Iterable<{ readonly target: string; readonly version: number }>;
  tls(): TlsReading | null;
  queues(): QueueReading;
}

/** Upper bounds of the exposed histogram, in seconds; the recorded one is finer. */
const durationBounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export function metricsDoor(facts: MetricFacts, token: string | undefined): FastifyInstance {
  const registry = new Registry();
  defineMetrics(registry, facts);
  defineFlowMetrics(registry, () => facts.flow());
  defineMessageMetrics(registry, () => facts.traffic());
  defineRetryMetrics(registry, () => facts.traffic());
  defineQueueMetrics(
    registry,
    () => facts.traffic(),
    () => facts.queues(),
  );
  definePriorityMetrics(registry, () => facts.priorities());
  defineRouteMetrics(registry, () => facts.routes());
  defineConcurrencyMetrics(registry, () => facts.limits());
  defineRateLimitMetrics(registry, () => facts.rateLimits());
  defineQuotaMetrics(registry, () => facts.rateLimits());
  defineStaleMetrics(registry, () => facts.stale());
  defineTlsMetrics(registry, () => facts.tls());
  const door = createDoor();
  door.get('/metrics', async (request, reply) => {
    if (token !== undefined && !isSame(request.headers.authorization ?? '', `Bearer ${token}`)) {
      return reply.code(401).header('www-authenticate', 'Bearer').type('text/plain').send('a token is needed\n');
    }
    const text = await registry.metrics();
    return reply.type(registry.contentType).send(text + durationsText(facts.traffic()));
  });
  return door;
}

function isSame(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function defineMetrics(registry: Registry, facts: MetricFacts): void {
  const { counter, gauge } = seriesIn(registry);

  counter(
    'weir_requests_total',
    'Requests by outcome at the upstream.',
    ['direction', 'upstream', 'outcome'],
    (set) => {
      for (const { direction, peer: upstream, success, failure, ignored } of facts.traffic()) {
        set.inc({ direction, upstream, outcome: 'success' }, success);
        set.inc({ direction, upstream, outcome: 'failure' }, failure);
        set.inc({ direction, upstream, outcome: 'ignored' }, ignored);
      }
    },
  );
  const byFallback = (set: Counter<'upstream' | 'kind'>, pick: (stats: TrafficStats) => Float64Array) => {
    for (const stats of facts.traffic()) {
      for (const [i, count] of pick(stats).entries()) {
        if (count > 0) set.inc({ upstream: stats.peer, kind: fallbackKinds[i]! }, count);
      }
    }
  };
  const byReason = (set: Counter<'direction' | 'upstream' | 'reason'>, pick: (stats: TrafficStats) => Float64Array) => {
    for (const stats of facts.traffic()) {
      const counts = pick(stats);
      for (let reason = 1; reason < counts.length; reason++) {
        if (counts[reason]! === 0) continue;
        set.inc({ direction: stats.direction, upstream: stats.peer, reason: reasonName(reason) }, counts[reason]!);
      }
    }
  };
  const rejectLabels: ('direction' | 'upstream' | 'reason')[] = ['direction', 'upstream', 'reason'];
  counter('weir_requests_rejected_total', 'Requests answered by the proxy itself.', rejectLabels, (set) =>
    byReason(set, (stats) => stats.rejected),
  );
  counter('weir_requests_would_reject_total', 'The same in shadow mode: counted, not refused.', rejectLabels, (set) =>
    byReason(set, (stats) => stats.wouldReject),
  );
  counter(
    'weir_fallbacks_total',
    'Requests that something else than the service answered.',
    ['upstream', 'kind'],
    (set) => byFallback(set, (stats) => stats.fallbacks),
  );
  counter('weir_would_fall_back_total', 'The same in shadow mode.', ['upstream', 'kind'], (set) =>
    byFallback(set, (stats) => stats.wouldFallBack),
  );
  gauge('weir_inflight_requests', 'Requests under way.', ['direction', 'upstream'], (set) => {
    for (const { direction, peer: upstream, inFlight } of facts.traffic()) set.set({ direction, upstream }, inFlight);
  });
  gauge('weir_queue_depth', 'Requests waiting for the app.', [], (set) => set.set(facts.queueDepth()));
  gauge(
    'weir_breaker_state',
    '0 closed, 1 half-open, 2 open, 3 ramp, 4 forced open, 5 forced closed.',
    ['upstream'],
    (set) => {
      for (const { upstream, state } of facts.breakers()) set.set({ upstream }, state);
    },
  );
  counter('weir_breaker_transitions_total', 'Changes of state.', ['upstream', 'from', 'to'], (set) => {
    for (const [key, count] of facts.breakerTransitions()) {
      const [upstream = '', from = '', to = ''] = key.split('|');
      set.inc({ upstream, from, to }, count);
    }
  });
  gauge('weir_endpoint_known', 'Endpoints of a service.', ['upstream'], (set) => {
    for (const { upstream, known } of facts.endpointHealth()) set.set({ upstream }, known);
  });
  gauge('weir_endpoint_healthy', 'Of them, those that are healthy and within reach.', ['upstream'], (set) => {
    for (const { upstream, healthy } of facts.endpointHealth()) set.set({ upstream }, healthy);
  });
  gauge('weir_endpoint_ejected', 'Endpoints that are ejected; in shadow: would be.', ['upstream'], (set) => {
    for (const { upstream, ejected } of facts.endpointHealth()) set.set({ upstream }, ejected);
  });
  gauge('weir_endpoint_breakers_open', 'Breakers of endpoints that are not closed.', ['upstream'], (set) => {
    for (const { upstream, breakersOpen } of facts.endpointHealth()) set.set({ upstream }, breakersOpen);
  });
  counter('weir_outlier_ejections_total', 'Ejections, those of shadow included.', ['upstream', 'cause'], (set) => {
    for (const { upstream, ejections, capped } of facts.endpointHealth()) {
      for (const [i, cause] of ejectionCauses.entries()) {
        if (ejections[i]! > 0) set.inc({ upstream, cause }, ejections[i]!);
      }
      if (capped > 0) set.inc({ upstream, cause: 'refused_by_cap' }, capped);
    }
  });
  gauge('weir_upstream_connections', 'Open HTTP/2 connections to endpoints.', [], (set) =>
    set.set(facts.upstreamConnections()),
  );
  counter('weir_upstream_connects_total', 'Attempts to connect to an endpoint.', ['result'], (set) => {
    const { connected, failed } = facts.poolCounts();
    set.inc({ result: 'connected' }, connected);
    set.inc({ result: 'failed' }, failed);
  });
  counter('weir_upstream_connections_lost_total', 'Connections to endpoints that ended without a GOAWAY.', [], (set) =>
    set.inc(facts.poolCounts().lost),
  );
  gauge('weir_buffered_bytes', 'Content held for slow readers.', [], (set) => set.set(facts.bufferedBytes()));
  gauge('weir_self_shed_ratio', 'Share of new requests refused to save the proxy itself.', [], (set) =>
    set.set(facts.overload().shedShare),
  );
  gauge('weir_heap_used_ratio', 'Heap in use, of what it may be.', [], (set) => set.set(facts.overload().heapShare));
  counter('weir_http2_limit_total', 'Peers that ran into a bound of the HTTP/2 engine.', ['limit'], (set) => {
    const trips = facts.limitTrips();
    for (let limit = 1; limit < trips.length; limit++) set.inc({ limit: limitName(limit) }, trips[limit]!);
  });
  gauge('weir_connections', 'Open connections of callers.', [], (set) => set.set(facts.connections()));
  gauge('weir_loop_lag_seconds', "Lateness of the proxy's own event loop.", [], (set) =>
    set.set(facts.loopLagSeconds()),
  );
  gauge('weir_workers', 'Threads that carry requests.', [], (set) => {
    const workers = facts.workers();
    set.set(workers.length === 0 ? 1 : workers.filter(({ isRunning }) => isRunning).length);
  });
  counter('weir_worker_deaths_total', 'Workers that ended unasked.', [], (set) =>
    set.inc(facts.workers().reduce((sum, { deaths }) => sum + deaths, 0)),
  );
  gauge('weir_control_plane_connected', '1 while NATS is connected.', [], (set) =>
    set.set(facts.controlPlaneConnected() ? 1 : 0),
  );
  gauge('weir_policy_generation', 'Version of the policy in force.', ['target'], (set) => {
    for (const { target, version } of facts.policyVersions()) set.set({ target }, version);
  });
  gauge('weir_process_resident_memory_bytes', 'Resident memory.', [], (set) => set.set(process.memoryUsage.rss()));
  counter('weir_process_cpu_seconds_total', 'CPU time.', [], (set) => {
    const { user, system } = process.cpuUsage();
    set.inc((user + system) / 1e6);
  });
  gauge('weir_build_info', 'Always 1.', ['version', 'node'], (set) =>
    set.set({ version: facts.version, node: process.version }, 1),
  );
}

/** Histograms are written by hand: prom-client would want every sample observed again. */
function durationsText(all: Iterable<TrafficStats>): string {
  const name = 'weir_request_duration_seconds';
  let text = `\n# HELP ${name} From the request's arrival to the end of its response.\n# TYPE ${name} histogram\n`;
  for (const { direction, peer, durations } of all) {
    const labels = `direction="${direction}",upstream="${peer}"`;
    let at = 0;
    let cumulative = 0;
    for (const bound of durationBounds) {
      [at, cumulative] = countUpTo(durations, at, cumulative, bound * 1e6);
      text += `${name}_bucket{${labels},le="${bound}"} ${cumulative}\n`;
    }
    text += `${name}_bucket{${labels},le="+Inf"} ${durations.count}\n`;
    text += `${name}_sum{${labels}} ${durations.sumMs / 1000}\n${name}_count{${labels}} ${durations.count}\n`;
  }
  return text;
}

function countUpTo(histogram: Histogram, from: number, count: number, boundUs: number): [at: number, count: number] {
  let at = from;
  let sum = count;
  while (at < histogram.counts.length && bucketUpperUs(at) <= boundUs) {
    sum += histogram.counts[at]!;
    at++;
  }
  return [at, sum];
}
