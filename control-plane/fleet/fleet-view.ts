/**
 * The state of the mesh as it can be known: heartbeats, acks, bundles and verdicts in, views out. Pure: time comes in,
 * and nothing is read from anywhere. Every control plane keeps one of its own from the same core messages, so each of
 * them can answer, leader or not.
 */
import type {
  BreakerCellView,
  FleetBreakerView,
  InstanceView,
  QuotaView,
  ServiceView,
  TrafficView,
} from '../../proto/api.ts';
import type { Ack, Endpoint, Heartbeat, Identity } from '../../proto/fleet-messages.ts';
import { parseServiceKey } from '../../proto/subjects.ts';
import { attention } from './attention.ts';
import { breakerCells } from './breaker-cells.ts';
import { breakerSeverity, breakerStateName, worse } from './breaker-names.ts';
import { decideScaling, type ScalingDecision } from './demand.ts';
import { readDemand } from './demand-reading.ts';
import { endpointsOf } from './endpoint-sets.ts';
import type { InstanceRecord } from './instance-record.ts';
import { instanceView } from './instance-view.ts';
import { type InstanceChange, Instances, instancesMax } from './instances.ts';
import { behindOf, type PublishedBundle, policyStatus } from './policy-status.ts';
import { Sparklines } from './sparklines.ts';
import { trafficView } from './traffic-view.ts';

/** What others know about a target and the views need. */
export interface Surroundings {
  /** Every target that has a bundle. */
  readonly bundles: ReadonlyMap<string, PublishedBundle>;
  readonly fleetBreaker: (target: string) => FleetBreakerView | undefined;
  readonly quotas: (target: string) => QuotaView[];
}

const sparklineEveryMs = 1_000;

export class FleetView {
  private readonly instances: Instances;
  private readonly sparklines = new Sparklines();
  private sparklineAtMs = Number.NEGATIVE_INFINITY;

  constructor(max = instancesMax) {
    this.instances = new Instances(max);
  }

  onHeartbeat(heartbeat: Heartbeat, nowMs: number): InstanceChange | undefined {
    return this.instances.onHeartbeat(heartbeat, nowMs);
  }

  /** False when it is about nobody known. */
  onAck(ack: Ack): boolean {
    return this.instances.onAck(ack);
  }

  /** A few times a second. */
  tick(nowMs: number): InstanceChange[] {
    const changes = this.instances.tick(nowMs);
    if (nowMs - this.sparklineAtMs >= sparklineEveryMs) {
      // A late tick makes one point, not many: the gap is in the time, not in the rates.
      this.sparklineAtMs = nowMs;
      const rates = new Map<string, number | null>();
      for (const service of this.instances.services()) rates.set(service, this.requestsPerSecond(service, nowMs));
      this.sparklines.push(rates);
    }
    return changes;
  }

  instanceViews(nowMs: number): InstanceView[] {
    const views = [...this.instances.all()].map((record) => instanceView(record, nowMs));
    return views.sort(
      (a, b) => order(`${a.namespace}/${a.service}`, `${b.namespace}/${b.service}`) || order(a.instance, b.instance),
    );
  }

  breakerCells(nowMs: number): BreakerCellView[] {
    return breakerCells(this.instances, nowMs);
  }

  /** Worst first. */
  serviceViews(around: Surroundings, nowMs: number): ServiceView[] {
    const callersOf = this.callersByTarget();
    const names = new Set([...this.instances.services(), ...around.bundles.keys(), ...callersOf.keys()]);
    const views: ServiceView[] = [];
    for (const name of names) {
      const view = this.serviceView(name, callersOf.get(name) ?? none, around, nowMs);
      if (view) views.push(view);
    }
    return views.sort((a, b) => b.attention - a.attention || order(a.namespace + a.service, b.namespace + b.service));
  }

  /** What callers must know of an instance; changes when they must be told. */
  reachability(identity: Identity): string {
    const heartbeat = this.instances.get(identity)?.heartbeat;
    return heartbeat ? `${heartbeat.address} ${heartbeat.identity.zone} ${heartbeat.draining}` : '';
  }

  services(): string[] {
    return [...this.instances.services()];
  }

  /** How many instances it wants; by default for a share of their concurrency limit. */
  scaling(service: string, nowMs: number, targetConcurrency?: number): ScalingDecision {
    const callers = this.concernedBy(service);
    return decideScaling(readDemand(service, this.instances.of(service), callers, nowMs), targetConcurrency);
  }

  endpoints(service: string, nowMs: number): Endpoint[] {
    return endpointsOf(service, this.instances, nowMs);
  }

  /** The live sidecars that should have the bundle and have not said yet that they took or refused it. */
  behind(target: string, bundle: PublishedBundle, nowMs: number): readonly string[] {
    return behindOf(target, bundle, this.concernedBy(target), nowMs);
  }

  /** How many sidecars are in each state. */
  instanceCounts(nowMs: number): { live: number; draining: number; stale: number } {
    const counts = { live: 0, draining: 0, stale: 0 };
    for (const record of this.instances.all()) counts[record.state(nowMs)]++;
    return counts;
  }

  private serviceView(
    name: string,
    callers: ReadonlySet<InstanceRecord>,
    around: Surroundings,
    nowMs: number,
  ): ServiceView | undefined {
    const service = parseServiceKey(name);
    if (!service) return undefined;
    const own = this.instances.of(name);
    const counts = { live: 0, stale: 0, draining: 0 };
    const targets = new Set<string>();
    for (const record of own) {
      counts[record.state(nowMs)]++;
      for (const target of record.targets()) targets.add(target);
    }
    const concerned = new Set([...own, ...callers]);
    const view: Omit<ServiceView, 'attention'> = {
      ...service,
      ...counts,
      policy: policyStatus(name, around.bundles.get(name), concerned, nowMs),
      inbound: this.inbound(name, nowMs),
      sparkline: this.sparklines.of(name),
      breaker: around.fleetBreaker(name) ?? closedBreaker(name),
      quotas: around.quotas(name),
      callers: [...new Set([...callers].map((record) => record.service))].sort(),
      targets: [...targets].sort(),
    };
    return { ...view, attention: attention(view, openShare(name, callers, nowMs)) };
  }

  private inbound(service: string, nowMs: number): TrafficView {
    return trafficView(this.inboundSeries(service, nowMs), nowMs);
  }

  private *inboundSeries(service: string, nowMs: number) {
    for (const record of this.instances.of(service)) {
      if (record.isPresent(nowMs) && record.inbound.series) yield record.inbound.series;
    }
  }

  private requestsPerSecond(service: string, nowMs: number): number | null {
    let sum: number | null = null;
    for (const series of this.inboundSeries(service, nowMs)) {
      const rates = series.rates();
      if (rates) sum = (sum ?? 0) + rates.requestsPerSecond;
    }
    return sum === null ? null : Math.round(sum * 100) / 100;
  }

  private callersByTarget(): Map<string, Set<InstanceRecord>> {
    const callers = new Map<string, Set<InstanceRecord>>();
    for (const record of this.instances.all()) {
      for (const target of record.targets()) {
        const known = callers.get(target);
        if (known) known.add(record);
        else callers.set(target, new Set([record]));
      }
    }
    return callers;
  }

  instancesOf(service: string): Iterable<InstanceRecord> {
    return this.instances.of(service);
  }

  /** The target's own instances and those of services that call it. */
  *concernedBy(target: string): Iterable<InstanceRecord> {
    for (const record of this.instances.all()) {
      if (record.service === target || record.targets().has(target)) yield record;
    }
  }
}

const none: ReadonlySet<InstanceRecord> = new Set();

const order = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0);

/** Share of the callers' live sidecars that are cut off from the target. */
function openShare(target: string, callers: ReadonlySet<InstanceRecord>, nowMs: number): number {
  let live = 0;
  let open = 0;
  for (const record of callers) {
    if (!record.isPresent(nowMs)) continue;
    live++;
    const breaker = record.heartbeat.breakers.find((row) => row.target === target);
    if (!breaker) continue;
    const state = worse(breakerStateName(breaker.local), breakerStateName(breaker.fleet));
    if (breakerSeverity(state) >= breakerSeverity('open')) open++;
  }
  return live > 0 ? open / live : 0;
}

export function closedBreaker(target: string): FleetBreakerView {
  return {
    target,
    state: 'closed',
    generation: 0,
    epoch: '',
    openedAt: null,
    ageMs: 0,
    coolMs: 0,
    evidence: '',
    voters: 0,
    failingVoters: 0,
    n: 0,
    fail: 0,
  };
}
