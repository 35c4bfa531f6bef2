/** One simulated sidecar with its app: the breaker, counts and fleet part that run live, and Poisson demand. */
import type { Grant, Identity, SlotResult, Verdict } from '../../../proto/fleet-messages.ts';
import { XorShift32 } from '../../../proto/kernel/random.ts';
import { Breaker, BreakerState } from '../../../sidecar/resilience/breaker.ts';
import { isShut } from '../../../sidecar/resilience/breaker-state.ts';
import { FleetCaller } from '../../../sidecar/resilience/fleet-caller.ts';
import { Outcome } from '../../../sidecar/resilience/outcome.ts';
import { TargetCounts } from '../../../sidecar/resilience/target-counts.ts';
import type { Actor } from '../sim/event-queue.ts';
import type { FleetStage } from './fleet-stage.ts';

const code = { demand: 0, tick: 1, answer: 2 };

interface Call {
  readonly ok: boolean;
  readonly isProbe: boolean;
  readonly generation: number;
  readonly startedMs: number;
}

export class CallerNode implements Actor {
  readonly id: string;
  readonly identity: Identity;
  readonly breaker: Breaker;
  isAlive = true;
  private readonly world: FleetStage;
  private readonly counts = new TargetCounts();
  private readonly fleet: FleetCaller | null;
  private readonly random: XorShift32;
  private readonly offsetMs: number;
  private readonly skewMs: number;
  private readonly rps: number;
  private readonly isFaulty: boolean;
  private readonly calls: (Call | undefined)[] = [];
  private readonly free: number[] = [];
  private seq = 0;
  private tickAtMs = Number.POSITIVE_INFINITY;

  constructor(world: FleetStage, index: number, seed: number, skewMs: number) {
    const { options } = world;
    this.world = world;
    this.random = new XorShift32(seed);
    this.skewMs = skewMs;
    this.offsetMs = this.random.next() * 1_000_000;
    this.rps = options.rpsEach;
    this.isFaulty = options.isFaulty?.(index) ?? false;
    const zone = options.zones === undefined ? '' : `zone-${index % options.zones}`;
    this.id = `orders-${index}`;
    const service = 'orders';
    this.identity = { namespace: 'shop', service, instance: this.id, incarnation: `${seed}`, zone, version: '' };
    this.breaker = new Breaker(options.local);
    const { random, identity } = this;
    const nextSeq = () => ++this.seq;
    this.fleet = options.fleet ? new FleetCaller({ identity, random, own: null, nextSeq }) : null;
    this.fleet?.follow({ key: world.target, breaker: this.breaker, counts: this.counts }, this.clock(world.nowMs));
    if (this.rps > 0) world.queue.schedule(world.nowMs + this.nextDemandMs(), this, code.demand);
    this.arm(world.nowMs);
  }

  kill(): void {
    this.isAlive = false;
  }

  get isOpen(): boolean {
    return isShut(this.breaker.fleetState);
  }

  onEvent(what: number, nowMs: number): void {
    if (!this.isAlive) return;
    if (what === code.demand) {
      this.world.queue.schedule(nowMs + this.nextDemandMs(), this, code.demand);
      this.want(nowMs);
    } else if (what === code.tick) {
      if (nowMs < this.tickAtMs) return;
      this.tickAtMs = Number.POSITIVE_INFINITY;
      this.tick(nowMs);
    } else this.answer(what - code.answer, nowMs);
  }

  onVerdict(verdict: Verdict, nowMs: number): void {
    if (!this.isAlive) return;
    this.fleet?.onVerdict(verdict, this.clock(nowMs), nowMs + this.skewMs);
    this.arm(nowMs);
  }

  onGrant(grant: Grant, nowMs: number): void {
    if (!this.isAlive) return;
    this.fleet?.onGrant(grant, this.clock(nowMs));
    this.arm(nowMs);
  }

  onSlotResult(result: SlotResult, nowMs: number): void {
    if (this.isAlive) this.fleet?.onSlotResult(result, this.clock(nowMs));
  }

  private clock(nowMs: number): number {
    return this.offsetMs + nowMs;
  }

  private nextDemandMs(): number {
    return (-Math.log(1 - this.random.next()) * 1000) / this.rps;
  }

  private want(nowMs: number): void {
    const { recording } = this.world;
    this.counts.recordDemand();
    recording.count('wanted', nowMs);
    if (this.breaker.tryAcquire(this.clock(nowMs)) > 0) return;
    recording.count('sent', nowMs);
    this.send(this.breaker.lastAcquireWasProbe, this.breaker.generation, nowMs);
  }

  private send(isProbe: boolean, generation: number, nowMs: number): void {
    const { timeoutMs } = this.world.options;
    const underVerdict = this.isOpen;
    let ok = false;
    let endMs = nowMs + 1;
    if (!this.isFaulty || nowMs < (this.world.options.faultyFromMs ?? 0)) {
      const answer = this.world.service.take({ atMs: nowMs, isProbe, underVerdict }, this.world.notesArrivals);
      ok = answer.ok && answer.answerAtMs <= nowMs + timeoutMs;
      endMs = Math.min(answer.answerAtMs, nowMs + timeoutMs);
    }
    const slot = this.free.pop() ?? this.calls.length;
    this.calls[slot] = { ok, isProbe, generation, startedMs: nowMs };
    this.world.queue.schedule(endMs, this, code.answer + slot);
  }

  private answer(slot: number, nowMs: number): void {
    const call = this.calls[slot];
    if (call === undefined) return;
    this.calls[slot] = undefined;
    this.free.push(slot);
    const { ok, isProbe, generation, startedMs } = call;
    this.world.recording.count(ok ? 'good' : 'failed', startedMs);
    const outcome = ok ? Outcome.success : Outcome.failure;
    const latencyMs = nowMs - startedMs;
    const clockMs = this.clock(nowMs);
    if (this.breaker.countsForFleet(generation)) this.counts.recordOutcome(outcome, latencyMs, '10.0.0.1:80');
    this.breaker.record(outcome, latencyMs, isProbe, generation, clockMs);
    if (isProbe) this.fleet?.onProbe(this.world.target, clockMs);
    if (!ok || this.breaker.state !== BreakerState.closed) this.fleet?.hurry(this.world.target, clockMs);
    this.arm(nowMs);
  }

  private tick(nowMs: number): void {
    if (this.fleet === null) return;
    const isConnected = this.world.network.isConnected(this.id);
    for (const message of this.fleet.tick(this.clock(nowMs), nowMs + this.skewMs, isConnected)) {
      if (message.kind === 'check') this.send(true, message.generation, nowMs);
      else this.world.hear(this.id, message, nowMs);
    }
    this.arm(nowMs);
  }

  private arm(nowMs: number): void {
    if (this.fleet === null) return;
    const atMs = Math.max(nowMs, this.fleet.nextAtMs - this.offsetMs);
    if (atMs >= this.tickAtMs) return;
    this.tickAtMs = atMs;
    this.world.queue.schedule(atMs, this, code.tick);
  }
}
