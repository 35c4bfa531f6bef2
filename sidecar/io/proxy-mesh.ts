/**
 * The proxy as operators and the control plane see it: one place that reads the live objects, so that metrics,
 * heartbeats and the admin door never disagree.
 */
import type { Endpoint, Identity, ProcessStatus, Traffic } from '../../proto/fleet-messages.ts';
import type { Log as TextLog } from '../../proto/kernel/log-format.ts';
import type { Random } from '../../proto/kernel/random.ts';
import { type Bundle, chooseSpec } from '../../proto/policy/bundle.ts';
import { reasonName } from '../../proto/reasons.ts';
import { hideCredentials, type SidecarConfig } from '../config.ts';
import type { Target, Targets } from '../exchange/targets.ts';
import type { TrafficStats } from '../exchange/traffic-stats.ts';
import type { LivePolicy } from '../policy/swap.ts';
import { breakerStateName } from '../resilience/breaker.ts';
import type { AdminFacts } from './admin-door.ts';
import { tick } from './clock.ts';
import type { BundleVerdict, Log, Mesh, TargetLink } from './control-link/mesh.ts';
import type { Listener } from './listener.ts';
import type { BreakerReading, MetricFacts } from './metrics-door.ts';
import type { Timers } from './timers.ts';
import type { UpstreamPool } from './upstream/pool.ts';

export interface ProxyParts {
  readonly identity: Identity;
  readonly address: string;
  readonly config: SidecarConfig;
  readonly random: Random;
  readonly log: TextLog;
  readonly policy: LivePolicy;
  readonly inboundTraffic: TrafficStats;
  readonly unrouted: TrafficStats;
  readonly targets: Targets;
  readonly listeners: readonly Listener[];
  readonly pool: UpstreamPool;
  readonly timers: Timers;
  readonly transitions: ReadonlyMap<string, number>;
  readonly isDraining: () => boolean;
  readonly drain: () => void;
  readonly isConnected: () => boolean;
}

export class ProxyMesh implements Mesh, MetricFacts, AdminFacts {
  readonly identity: Identity;
  readonly random: Random;
  readonly version: string;
  readonly log: Log;
  private readonly parts: ProxyParts;
  private readonly links = new Map<Target, TargetLink>();

  constructor(parts: ProxyParts) {
    this.parts = parts;
    this.identity = parts.identity;
    this.random = parts.random;
    this.version = parts.identity.version;
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
    return this.parts.inboundTraffic.inFlight;
  }

  *targetsInUse(): Iterable<TargetLink> {
    for (const target of this.parts.targets.values()) yield this.linkOf(target);
  }

  onTargetUsed(callback: (target: TargetLink) => void): void {
    this.parts.targets.onCreated = (target) => callback(this.linkOf(target));
  }

  applyBundle(key: string, bundle: Bundle, nowMs: number): BundleVerdict {
    const spec = chooseSpec(bundle, this.identity.instance);
    const policies = [key === this.parts.policy.target ? this.parts.policy : null, this.parts.targets.get(key)?.policy];
    try {
      for (const policy of policies) policy?.apply(spec, bundle, nowMs);
    } catch (error) {
      return { status: 'rejected', message: error instanceof Error ? error.message : String(error) };
    }
    return { status: 'applied', message: '' };
  }

  heartbeatTraffic(): Traffic[] {
    const all: Traffic[] = [];
    for (const stats of this.traffic()) all.push(this.trafficOf(stats));
    return all;
  }

  process(): ProcessStatus {
    const { rss, heapUsed } = process.memoryUsage();
    return {
      rssBytes: rss,
      heapBytes: heapUsed,
      bufferedBytes: this.bufferedBytes(),
      loopLagMs: this.parts.timers.lagMs,
      connections: this.connections(),
      streams: this.parts.listeners.reduce((sum, listener) => sum + listener.streamCount, 0),
      uptimeMs: process.uptime() * 1000,
    };
  }

  dump(): unknown {
    return { config: this.config(), stats: this.stats() };
  }

  nowMs(): number {
    return tick();
  }

  // ── Metrics and admin ───────────────────────────────────────────────────────────────────────────────────────────

  *traffic(): Iterable<TrafficStats> {
    yield this.parts.inboundTraffic;
    for (const target of this.parts.targets.values()) yield target.traffic;
    if (this.parts.unrouted.requests > 0) yield this.parts.unrouted;
  }

  *breakers(): Iterable<BreakerReading> {
    for (const target of this.parts.targets.values()) {
      const { breaker } = target.policy.outbound;
      if (breaker !== null) yield { upstream: target.key, state: breaker.state };
    }
  }

  breakerTransitions(): ReadonlyMap<string, number> {
    return this.parts.transitions;
  }

  concurrencyLimit(): number {
    return this.parts.policy.inbound.concurrencyLimit;
  }

  queueDepth(): number {
    return this.parts.policy.inbound.admission?.queued ?? 0;
  }

  bufferedBytes(): number {
    return this.parts.listeners.reduce((sum, listener) => sum + listener.bufferedBytes, this.parts.pool.bufferedBytes);
  }

  connections(): number {
    return this.parts.listeners.reduce((sum, listener) => sum + listener.connectionCount, 0);
  }

  loopLagSeconds(): number {
    return this.parts.timers.lagMs / 1000;
  }

  controlPlaneConnected(): boolean {
    return this.parts.isConnected();
  }

  *policyVersions(): Iterable<{ target: string; version: number }> {
    const { policy, targets } = this.parts;
    yield { target: policy.target, version: policy.version };
    for (const target of targets.values()) {
      if (target.key !== policy.target) yield { target: target.key, version: target.policy.version };
    }
  }

  config(): unknown {
    const { config, policy, targets } = this.parts;
    return {
      identity: this.identity,
      address: this.parts.address,
      settings: { ...config, nats: config.nats === undefined ? undefined : hideCredentials(config.nats) },
      policy: policyView(policy),
      targets: [...targets.values()].map((target) => ({
        target: target.key,
        policy: policyView(target.policy),
        endpoints: target.cluster.endpoints.map(({ address, instance, zone, draining }) => ({
          address,
          instance,
          zone,
          draining,
        })),
      })),
    };
  }

  stats(): unknown {
    const { targets, timers } = this.parts;
    return {
      draining: this.isDraining(),
      connected: this.controlPlaneConnected(),
      connections: this.connections(),
      bufferedBytes: this.bufferedBytes(),
      queued: this.queueDepth(),
      loopLagMs: timers.lagMs,
      process: this.process(),
      traffic: this.heartbeatTraffic().map(({ latencyBuckets: _, ...traffic }) => traffic),
      breakers: [...targets.values()].flatMap((target) => {
        const { breaker } = target.policy.outbound;
        if (breaker === null) return [];
        return [{ target: target.key, state: breakerStateName(breaker.state), cause: breaker.cause }];
      }),
    };
  }

  private linkOf(target: Target): TargetLink {
    let link = this.links.get(target);
    if (link === undefined) {
      link = new ProxyTargetLink(target);
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
      concurrencyLimit: isInbound ? this.concurrencyLimit() : 0,
      queueDepth: isInbound ? this.queueDepth() : 0,
    };
  }
}

class ProxyTargetLink implements TargetLink {
  readonly key: string;
  private readonly target: Target;

  constructor(target: Target) {
    this.target = target;
    this.key = target.key;
  }

  get breaker(): TargetLink['breaker'] {
    return this.target.policy.outbound.breaker;
  }

  get counts(): TargetLink['counts'] {
    return this.target.cluster.counts;
  }

  get onFailure(): (() => void) | undefined {
    return this.target.onFailure ?? undefined;
  }

  set onFailure(callback: (() => void) | undefined) {
    this.target.onFailure = callback ?? null;
  }

  setEndpoints(endpoints: readonly Endpoint[]): void {
    this.target.cluster.updateEndpoints(endpoints);
  }
}

function policyView(policy: LivePolicy): unknown {
  return { target: policy.target, epoch: policy.epoch, version: policy.version, hash: policy.hash };
}
