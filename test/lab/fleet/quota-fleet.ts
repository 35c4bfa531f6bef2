/**
 * Instances that share a rate limit and control planes that share it out, in simulated time, over a network that loses,
 * delays, doubles and reorders messages and may be cut between any two of them. Everything but the network is the real
 * thing: limiters, holders, coordinators, and the codec between them.
 */
import { QuotaCoordinator } from '../../../control-plane/coordination/quota-coordinator.ts';
import {
  decodeGrant,
  decodeReport,
  encodeGrant,
  encodeReport,
  type Grant,
  type Identity,
} from '../../../proto/fleet.ts';
import { jitter, type Random } from '../../../proto/kernel/random.ts';
import type { FleetLimit } from '../../../proto/policy/fleet-limits.ts';
import { FleetRateLimiter } from '../../../sidecar/admission/fleet-rate-limiter.ts';
import { QuotaHolder } from '../../../sidecar/admission/quota-holder.ts';
import { poisson } from '../sim/dice.ts';

export const stepMs = 5;
const target = 'shop/payments';
const key = 'total';
/** As of quota-sync.ts. */
const lookMs = 50;
const reportMs = 90;
const calmMs = 350;
const tickMs = 50;
/** From the death of a leader to the next, as of leader-lease.ts. */
export const takeoverMs = 1050;

export interface NetworkFaults {
  readonly lossShare: number;
  readonly doubledShare: number;
  readonly delayMsMin: number;
  readonly delayMsMax: number;
}

export const goodNetwork: NetworkFaults = { lossShare: 0, doubledShare: 0, delayMsMin: 1, delayMsMax: 5 };

/** A part of time in which two sides do not hear each other. */
export interface Cut {
  readonly fromMs: number;
  readonly toMs: number;
  readonly instances: ReadonlySet<number>;
  /** Control planes on the other side. */
  readonly from: ReadonlySet<number>;
}

export interface QuotaFleetOptions {
  readonly limit: FleetLimit;
  readonly random: Random;
  readonly network?: NetworkFaults;
  readonly controlPlanes?: number;
  /** Cost asked for by an instance at a time, per second. */
  readonly demand: (instance: number, atMs: number) => number;
  readonly cuts?: readonly Cut[];
}

class Instance {
  readonly index: number;
  limiter: FleetRateLimiter;
  holder: QuotaHolder;
  incarnation = 0;
  isRunning = false;
  startedAtMs = 0;
  reportedAtMs = 0;
  dueAtMs = 0;
  seq = 0;
  readonly sentAtMs = new Map<number, number>();

  constructor(index: number, limit: FleetLimit) {
    this.index = index;
    this.limiter = new FleetRateLimiter(limit);
    this.holder = new QuotaHolder(key, this.limiter);
  }

  get identity(): Identity {
    const instance = `payments-${this.index}`;
    const incarnation = `${instance} ${this.incarnation}`;
    return { namespace: 'shop', service: 'payments', instance, incarnation, zone: '', version: '' };
  }

  start(limit: FleetLimit, nowMs: number): void {
    this.limiter = new FleetRateLimiter(limit);
    this.holder = new QuotaHolder(key, this.limiter);
    this.incarnation++;
    this.isRunning = true;
    this.startedAtMs = nowMs;
    this.reportedAtMs = nowMs;
    this.dueAtMs = nowMs;
    this.seq = 0;
    this.sentAtMs.clear();
  }
}

interface ControlPlane {
  coordinator: QuotaCoordinator;
  isRunning: boolean;
  epoch: string;
}

export class QuotaFleet {
  readonly beganAtMs = 1000;
  nowMs = this.beganAtMs;
  /** Cost asked for and admitted in each step. */
  readonly demanded: number[] = [];
  readonly admitted: number[] = [];
  readonly perInstance: number[] = [];
  /** The most that all who ran could have admitted together at one moment, by what they held, per second. */
  mostHeld = 0;
  readonly instances: Instance[] = [];
  readonly controlPlanes: ControlPlane[] = [];
  private readonly options: QuotaFleetOptions;
  private readonly network: NetworkFaults;
  private readonly mail = new Map<number, (() => void)[]>();
  private epochs = 0;
  private leader = -1;

  constructor(options: QuotaFleetOptions) {
    this.options = options;
    this.network = options.network ?? goodNetwork;
    for (let i = 0; i < (options.controlPlanes ?? 1); i++) {
      this.controlPlanes.push({ coordinator: new QuotaCoordinator(), isRunning: false, epoch: '' });
      this.startControlPlane(i, true);
    }
  }

  // ── What befalls the fleet ──────────────────────────────────────────────────────────────────────────────────────

  startInstance(index: number): void {
    this.instances[index] ??= new Instance(index, this.options.limit);
    this.instances[index].start(this.options.limit, this.nowMs);
  }

  /** kill -9, or, with a goodbye, a good end. */
  stopInstance(index: number, saysGoodbye: boolean): void {
    const instance = this.instances[index];
    if (instance === undefined || !instance.isRunning) return;
    if (saysGoodbye) {
      instance.holder.leave();
      this.report(instance);
    }
    instance.isRunning = false;
  }

  runs(index: number): boolean {
    return this.instances[index]?.isRunning === true;
  }

  get running(): number {
    return this.instances.filter((instance) => instance?.isRunning).length;
  }

  /** With no memory. `isFirst`: the policy is published while it runs. */
  startControlPlane(index: number, isFirst = false): void {
    const coordinator = new QuotaCoordinator();
    coordinator.setLimits(target, { version: 1, limits: new Map([[key, this.options.limit]]) }, isFirst);
    this.controlPlanes[index] = { coordinator, isRunning: true, epoch: '' };
  }

  stopControlPlane(index: number): void {
    this.controlPlanes[index]!.isRunning = false;
    this.controlPlanes[index]!.epoch = '';
    if (this.leader === index) this.leader = -1;
  }

  /** -1: nobody. The caller leaves `takeoverMs` between two leaders. */
  lead(index: number): void {
    const before = this.controlPlanes[this.leader];
    if (before) before.epoch = '';
    this.leader = index;
    const next = this.controlPlanes[index];
    if (next?.isRunning) next.epoch = String(++this.epochs).padStart(6, '0');
  }

  get leading(): QuotaCoordinator | undefined {
    const leader = this.controlPlanes[this.leader];
    return leader?.isRunning ? leader.coordinator : undefined;
  }

  reading() {
    return this.leading?.readings(target, this.nowMs).get(key);
  }

  // ── Time ────────────────────────────────────────────────────────────────────────────────────────────────────────

  runFor(ms: number): void {
    for (const untilMs = this.nowMs + ms; this.nowMs < untilMs; ) this.step();
  }

  step(): void {
    this.nowMs += stepMs;
    for (const deliver of this.mail.get(this.nowMs) ?? []) deliver();
    this.mail.delete(this.nowMs);
    let demanded = 0;
    let admitted = 0;
    let held = 0;
    for (const instance of this.instances) {
      if (!instance?.isRunning) continue;
      held += instance.limiter.reading(this.nowMs).rate;
      const wanted = poisson((this.options.demand(instance.index, this.nowMs) * stepMs) / 1000, this.options.random);
      demanded += wanted;
      for (let i = 0; i < wanted; i++) {
        if (instance.limiter.tryAcquire('', this.nowMs) > 0) continue;
        admitted++;
        this.perInstance[instance.index] = (this.perInstance[instance.index] ?? 0) + 1;
      }
      if (this.nowMs >= instance.dueAtMs) this.mayReport(instance);
    }
    if (held > this.mostHeld) this.mostHeld = held;
    this.demanded.push(demanded);
    this.admitted.push(admitted);
    if (this.nowMs % tickMs === 0) for (const i of this.controlPlanes.keys()) this.tick(i);
  }

  private mayReport(instance: Instance): void {
    instance.dueAtMs = this.nowMs + jitter(lookMs, 0.2, this.options.random);
    const { holder, reportedAtMs, seq } = instance;
    const sinceMs = this.nowMs - reportedAtMs;
    const isDue = sinceMs >= calmMs || seq === 0 || holder.isUrgent(this.nowMs);
    if (isDue || (sinceMs >= reportMs && holder.hasDemand(this.nowMs))) this.report(instance);
  }

  private report(instance: Instance): void {
    const seq = ++instance.seq;
    instance.sentAtMs.set(seq, this.nowMs);
    const bytes = encodeReport({
      identity: instance.identity,
      seq,
      intervalMs: this.nowMs - instance.reportedAtMs,
      quotas: [instance.holder.report(1, this.nowMs)],
    });
    instance.reportedAtMs = this.nowMs;
    for (const [i, { coordinator }] of this.controlPlanes.entries()) {
      this.send(instance.index, i, () => {
        const isStillIt = this.controlPlanes[i]?.coordinator === coordinator && this.controlPlanes[i].isRunning;
        const report = decodeReport(bytes);
        if (isStillIt && report) coordinator.onReport(report, this.nowMs);
      });
    }
  }

  private tick(index: number): void {
    const { coordinator, epoch, isRunning } = this.controlPlanes[index]!;
    if (!isRunning) return;
    for (const { to, grant } of coordinator.tick(() => epoch, this.nowMs)) {
      const instance = this.instances[Number(to.instance.slice('payments-'.length))]!;
      const decoded = decodeGrant(encodeGrant(grant));
      if (decoded) this.send(instance.index, index, () => this.take(instance, decoded));
    }
  }

  private take(instance: Instance, grant: Grant): void {
    if (!instance.isRunning || grant.incarnation !== instance.identity.incarnation) return;
    const sentAtMs = instance.sentAtMs.get(grant.answersSeq);
    if (sentAtMs === undefined) return;
    for (const lease of grant.leases) {
      const { epoch, answersSeq: seq } = grant;
      instance.holder.take(lease, { epoch, seq, sentAtMs }, 1, this.nowMs);
    }
    if (instance.holder.isUrgent(this.nowMs)) this.report(instance);
  }

  /** Either way: who is cut off neither hears nor is heard. */
  private send(instance: number, controlPlane: number, deliver: () => void): void {
    const { random, cuts = [] } = this.options;
    const { lossShare, doubledShare, delayMsMin, delayMsMax } = this.network;
    const isCut = (atMs: number): boolean =>
      cuts.some(
        (cut) => atMs >= cut.fromMs && atMs < cut.toMs && cut.instances.has(instance) && cut.from.has(controlPlane),
      );
    const copies = random.next() < lossShare ? 0 : random.next() < doubledShare ? 2 : 1;
    for (let copy = 0; copy < copies && !isCut(this.nowMs); copy++) {
      const delayMs = delayMsMin + (delayMsMax - delayMsMin) * random.next() ** 4;
      const atMs = this.nowMs + Math.max(1, Math.ceil(delayMs / stepMs)) * stepMs;
      const arrives = () => {
        if (!isCut(atMs)) deliver();
      };
      const others = this.mail.get(atMs);
      if (others) others.push(arrives);
      else this.mail.set(atMs, [arrives]);
    }
  }
}

/** The most that was ever admitted beyond rate·w, over all windows w. */
export function mostBeyond(admitted: readonly number[], rate: number): number {
  let beyond = 0;
  let most = 0;
  for (const count of admitted) {
    beyond += count;
    if (beyond > most) most = beyond;
    beyond = Math.max(0, beyond - (rate * stepMs) / 1000);
  }
  return most;
}
