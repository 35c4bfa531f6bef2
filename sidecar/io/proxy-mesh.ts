/**
 * The proxy as operators and the control plane see it: one place that reads the live objects, so that metrics,
 * heartbeats and the admin door never disagree.
 */

import type { Identity, ProcessStatus, Traffic } from '../../proto/fleet-messages.ts';
import type { Log as TextLog } from '../../proto/kernel/log-format.ts';
import type { Random } from '../../proto/kernel/random.ts';
import { hideCredentials } from '../../proto/nats-access.ts';
import { type Bundle, chooseSpec } from '../../proto/policy/bundle.ts';
import { reasonName } from '../../proto/reasons.ts';
import type { Admission } from '../admission/admission.ts';
import type { SidecarConfig } from '../config.ts';
import type { Target } from '../exchange/targets.ts';
import type { TrafficStats } from '../exchange/traffic-stats.ts';
import type { FlowReading, StreamView } from '../http2/flow-view.ts';
import { limitName } from '../http2/limit-codes.ts';
import { breakerStateName } from '../resilience/breaker.ts';
import type { OwnTraffic } from '../resilience/fleet-caller.ts';
import type { AdminFacts } from './admin-door.ts';
import { endpointsView, flowView, policyView } from './admin-views.ts';
import { tick } from './clock.ts';
import type { LimitReading } from './concurrency-metrics.ts';
import type { BundleVerdict, Log, Mesh, TargetLink } from './control-link/mesh.ts';
import type { BreakerReading, MetricFacts } from './metrics-door.ts';
import type { Plane, WorkerReading } from './plane.ts';
import type { OverloadReading } from './plane-readings.ts';
import type { PriorityReading } from './priority-metrics.ts';
import type { QueueReading } from './queue-metrics.ts';
import { quotaReadings } from './quota-metrics.ts';
import type { RateLimitReading } from './rate-limit-metrics.ts';
import { Rehearsals } from './rehearsals.ts';
import type { RouteReading } from './route-metrics.ts';
import type { StaleReading } from './stale-metrics.ts';
import { ProxyTargetLink } from './target-link.ts';
import type { TlsReading } from './tls/tls-stats.ts';
import type { EndpointHealthReading } from './upstream/endpoint-health.ts';
import type { PoolCounts } from './upstream/pool-counts.ts';

export interface ProxyParts {
  readonly identity: Identity;
  readonly address: string;
  readonly config: SidecarConfig;
  readonly random: Random;
  readonly log: TextLog;
  readonly plane: Plane;
  readonly isDraining: () => boolean;
  readonly drain: () => void;
  readonly isConnected: () => boolean;
  readonly queues: () => QueueReading;
}

export class ProxyMesh implements Mesh, MetricFacts, AdminFacts {
  readonly identity: Identity;
  readonly random: Random;
  readonly version: string;
  readonly log: Log;
  private readonly parts: ProxyParts;
  private readonly links = new Map<Target, TargetLink>();
  private readonly rehearsals: Rehearsals;

  constructor(parts: ProxyParts) {
    this.parts = parts;
    this.identity = parts.identity;
    this.random = parts.random;
    this.version = parts.identity.version;
    this.rehearsals = new Rehearsals(parts.config.service, () => parts.plane.recordedTraffic());
    this.log = (level, message, fields) => parts.log[level](message, fields);
  }

  advertise(): string {
    return this.parts.address;
  }

  isDraining(): boolean {
    return this.parts.isDraining();
  }

  drain(): void {
    this.parts.drain();
  }

  inFlight(): number {
    this.parts.plane.refresh();
    return this.parts.plane.inboundTraffic.inFlight;
  }

  *targetsInUse(): Iterable<TargetLink> {
    for (const target of this.parts.plane.targets.values()) yield this.linkOf(target);
  }

  onTargetUsed(callback: (target: TargetLink) => void): void {
    this.parts.plane.targets.onCreated = (target) => callback(this.linkOf(target));
  }

  applyBundle(key: string, bundle: Bundle, nowMs: number): BundleVerdict | Promise<BundleVerdict> {
    const spec = chooseSpec(bundle, this.identity.instance);
    try {
      const everywhere = this.parts.plane.applyPolicy(key, spec, bundle, nowMs);
      return everywhere === undefined ? applied : everywhere.then(() => applied, rejected);
    } catch (error) {
      return rejected(error);
    }
  }

  fleetLimits(): ReturnType<Mesh['fleetLimits']> {
    return this.parts.plane.policy.fleetLimits();
  }

  policyVersion(): number {
    return this.parts.plane.policy.version;
  }

  heartbeatTraffic(): Traffic[] {
    const all: Traffic[] = [];
    for (const stats of this.traffic()) all.push(this.trafficOf(stats));
    return all;
  }

  ownTraffic = (): OwnTraffic => {
    const { plane } = this.parts;
    plane.refresh();
    return plane.inboundTraffic;
  };

  process(): ProcessStatus {
    const { rss, heapUsed } = process.memoryUsage();
    return {
      rssBytes: rss,
      heapBytes: heapUsed,
      bufferedBytes: this.bufferedBytes(),
      loopLagMs: this.parts.plane.loopLagMs,
      connections: this.connections(),
      streams: this.parts.plane.streams,
      uptimeMs: process.uptime() * 1000,
    };
  }

  dump(): unknown {
    return { config: this.config(), stats: this.stats() };
  }

  rehearse(policy: string) {
    return this.rehearsals.rehearse(policy);
  }

  nowMs(): number {
    return tick();
  }

  // ── Metrics and admin ───────────────────────────────────────────────────────────────────────────────────────────

  *traffic(): Iterable<TrafficStats> {
    this.parts.plane.refresh();
    yield this.parts.plane.inboundTraffic;
    for (const target of this.parts.plane.targets.values()) yield target.traffic;
    if (this.parts.plane.unrouted.requests > 0) yield this.parts.plane.unrouted;
  }

  *breakers(): Iterable<BreakerReading> {
    for (const target of this.parts.plane.targets.values()) {
      const { breaker } = target.policy.outbound;
      if (breaker === null) continue;
      breaker.tick(tick());
      yield { upstream: target.key, state: breaker.effectiveState };
    }
  }

  *routes(): Iterable<RouteReading> {
    const { policy, targets } = this.parts.plane;
    for (const counts of policy.routeCounts()) {
      yield { direction: 'inbound', upstream: policy.target, counts, breaker: null };
    }
    for (const { key, policy } of targets.values()) {
      for (const counts of policy.routeCounts()) {
        const breaker = policy.breakerOf(counts.route);
        breaker?.tick(tick());
        yield { direction: 'outbound', upstream: key, counts, breaker };
      }
    }
  }

  breakerTransitions(): ReadonlyMap<string, number> {
    return this.parts.plane.transitions;
  }

  endpointHealth(): Iterable<EndpointHealthReading> {
    return this.parts.plane.endpointHealth;
  }

  poolCounts(): Readonly<PoolCounts> {
    return this.parts.plane.poolCounts;
  }

  upstreamConnections(): number {
    return this.parts.plane.upstreamConnections.reduce((sum, { connections }) => sum + connections, 0);
  }

  *limits(): Iterable<LimitReading> {
    for (const { route, admission } of this.parts.plane.policy.limits()) yield readingOf(route, admission);
  }

  rateLimits(): Iterable<RateLimitReading> {
    return this.parts.plane.policy.rateLimits();
  }

  stale(): readonly StaleReading[] {
    return this.parts.plane.stale;
  }

  queueDepth(): number {
    return this.parts.plane.policy.queued;
  }

  bufferedBytes(): number {
    return this.parts.plane.bufferedBytes;
  }

  connections(): number {
    return this.parts.plane.connections;
  }

  loopLagSeconds(): number {
    return this.parts.plane.loopLagMs / 1000;
  }

  workers(): readonly WorkerReading[] {
    return this.parts.plane.workers;
  }

  controlPlaneConnected(): boolean {
    return this.parts.isConnected();
  }

  priorities(): PriorityReading {
    return this.parts.plane.priorities;
  }

  overload(): OverloadReading {
    return this.parts.plane.overload;
  }

  flow(): FlowReading {
    return this.parts.plane.flow;
  }

  streams(): StreamView[] | Promise<StreamView[]> {
    return this.parts.plane.streamViews();
  }

  limitTrips(): Float64Array {
    return this.parts.plane.limitTrips;
  }

  tls(): TlsReading | null {
    return this.parts.plane.tls;
  }

  queues(): QueueReading {
    return this.parts.queues();
  }

  *policyVersions(): Iterable<{ target: string; version: number }> {
    const { policy, targets } = this.parts.plane;
    yield { target: policy.target, version: policy.version };
    for (const target of targets.values()) {
      if (target.key !== policy.target) yield { target: target.key, version: target.policy.version };
    }
  }

  config(): unknown {
    const { config } = this.parts;
    const { policy, targets, endpointHealth } = this.parts.plane;
    const health = new Map(endpointHealth.map((reading) => [reading.upstream, reading]));
    return {
      identity: this.identity,
      address: this.parts.address,
      settings: { ...config, nats: config.nats === undefined ? undefined : hideCredentials(config.nats) },
      policy: policyView(policy),
      targets: [...targets.values()].map((target) => ({
        target: target.key,
        policy: policyView(target.policy),
        endpoints: endpointsView(target, health.get(target.key)),
      })),
    };
  }

  stats(): unknown {
    const { targets, loopLagMs } = this.parts.plane;
    return {
      draining: this.isDraining(),
      connected: this.controlPlaneConnected(),
      connections: this.connections(),
      bufferedBytes: this.bufferedBytes(),
      upstreamConnections: this.parts.plane.upstreamConnections,
      upstreamPool: this.poolCounts(),
      queued: this.queueDepth(),
      loopLagMs,
      overload: this.overload(),
      priorities: this.priorities(),
      flowControl: flowView(this.flow()),
      quotas: [...quotaReadings(this.rateLimits())],
      workers: this.workers(),
      http2Limits: this.limitTripsByName(),
      process: this.process(),
      tls: this.tls(),
      traffic: this.heartbeatTraffic().map(({ latencyBuckets: _, ...traffic }) => traffic),
      breakers: [...targets.values()].flatMap((target) => {
        const { breaker } = target.policy.outbound;
        if (breaker === null) return [];
        breaker.tick(tick());
        const [state, fleet] = [breakerStateName(breaker.state), breakerStateName(breaker.fleetState)];
        return [{ target: target.key, state, fleet, cause: breaker.cause }];
      }),
    };
  }

  private limitTripsByName(): Record<string, number> {
    const named: Record<string, number> = {};
    this.limitTrips().forEach((count, limit) => {
      if (count > 0) named[limitName(limit)] = count;
    });
    return named;
  }

  private linkOf(target: Target): TargetLink {
    let link = this.links.get(target);
    if (link === undefined) {
      link = new ProxyTargetLink(target, this.parts.plane);
      this.links.set(target, link);
    }
    return link;
  }

  private trafficOf(stats: TrafficStats): Traffic {
    const isInbound = stats.direction === 'inbound';
    const rejected: Record<string, number> = {};
    for (let reason = 1; reason < stats.rejected.length; reason++) {
      if (stats.rejected[reason]! > 0) rejected[reasonName(reason)] = stats.rejected[reason]!;
    }
    return {
      direction: stats.direction,
      peer: stats.peer,
      requests: stats.requests,
      success: stats.success,
      failure: stats.failure,
      rejected,
      latencyBuckets: stats.durations.toSparse(),
      inFlight: stats.inFlight,
      concurrencyLimit: isInbound ? (this.parts.plane.policy.inbound.admission?.limit ?? 0) : 0,
      queueDepth: isInbound ? this.queueDepth() : 0,
    };
  }
}

function readingOf(route: string, admission: Admission | null): LimitReading {
  if (admission === null) return { route, limit: 0, inFlight: 0, longStreams: 0, baseRttMs: 0 };
  const { limit, inFlight, longStreams, baseRttMs } = admission;
  return { route, limit, inFlight, longStreams, baseRttMs };
}

const applied: BundleVerdict = { status: 'applied', message: '' };

function rejected(error: unknown): BundleVerdict {
  return { status: 'rejected', message: error instanceof Error ? error.message : String(error) };
}
