/** One simulated control plane: its lease and its coordinator, the very objects that run live, on a clock of its own. */
import { BreakerCoordinator } from '../../../control-plane/coordination/breaker-coordinator.ts';
import { LeaderLease, type LeaseRecord, type LeaseResult } from '../../../control-plane/coordination/leader-lease.ts';
import type { Report, SlotResult, Verdict } from '../../../proto/fleet-messages.ts';
import { XorShift32 } from '../../../proto/kernel/random.ts';
import type { Actor } from '../sim/event-queue.ts';
import type { FleetStage } from './fleet-stage.ts';

const leaseEveryMs = 25;
const tickEveryMs = 50;
const code = { lease: 0, tick: 1 };

export class ControlNode implements Actor {
  readonly id: string;
  isAlive = true;
  /** A process that stands still. */
  stalledUntilMs = 0;
  private readonly world: FleetStage;
  private readonly offsetMs: number;
  private readonly skewMs: number;
  private readonly lease: LeaderLease;
  readonly coordinator: BreakerCoordinator;
  private nowMs = 0;

  constructor(world: FleetStage, id: string, seed: number, skewMs: number, isPreferred: boolean) {
    this.world = world;
    this.id = id;
    this.skewMs = skewMs;
    const random = new XorShift32(seed);
    this.offsetMs = random.next() * 1_000_000;
    this.lease = new LeaderLease({ holder: id, incarnation: `${seed}`, random });
    this.lease.preferred = isPreferred;
    this.coordinator = new BreakerCoordinator({ random, epochOf: () => this.lease.epoch(this.clockMs) });
    world.queue.schedule(world.nowMs + random.next() * leaseEveryMs, this, code.lease);
    world.queue.schedule(world.nowMs + random.next() * tickEveryMs, this, code.tick);
  }

  isLeader(): boolean {
    return this.isAlive && this.lease.isLeader(this.clockMs);
  }

  kill(): void {
    this.isAlive = false;
  }

  onEvent(what: number, nowMs: number): void {
    if (!this.isAlive) return;
    if (nowMs < this.stalledUntilMs) {
      this.world.queue.schedule(this.stalledUntilMs, this, what);
      return;
    }
    this.nowMs = nowMs;
    if (what === code.lease) this.tend(nowMs);
    else this.world.publish(this.id, this.coordinator.tick(this.clockMs, nowMs + this.skewMs), nowMs);
    this.world.queue.schedule(nowMs + (what === code.lease ? leaseEveryMs : tickEveryMs), this, what);
  }

  onReport(report: Report, nowMs: number): void {
    if (this.isUp(nowMs)) this.coordinator.onReport(report, this.clockMs);
  }

  onVerdict(verdict: Verdict, nowMs: number): void {
    if (!this.isUp(nowMs)) return;
    const epoch = this.lease.epoch(this.clockMs);
    if (epoch === '' || verdict.epoch > epoch) this.coordinator.adopt(verdict, this.clockMs);
  }

  onSlotResult(result: SlotResult, nowMs: number): void {
    if (this.isUp(nowMs)) this.coordinator.onSlotResult(result, this.clockMs);
  }

  onLease(revision: number, record: LeaseRecord, nowMs: number): void {
    if (this.isUp(nowMs)) this.lease.onSeen(revision, record, this.clockMs);
  }

  private isUp(nowMs: number): boolean {
    if (!this.isAlive || nowMs < this.stalledUntilMs) return false;
    this.nowMs = nowMs;
    return true;
  }

  private get clockMs(): number {
    return this.offsetMs + this.nowMs;
  }

  private tend(nowMs: number): void {
    const action = this.lease.next(this.clockMs);
    if (action.kind === 'wait') return;
    this.world.askStore(this.id, action, nowMs, (result: LeaseResult, atMs) => {
      if (this.isUp(atMs)) this.lease.onResult(action.id, result, this.clockMs);
    });
  }
}
