/**
 * A circuit breaker towards one target: the local one, which decides by what this sidecar sees, under the fleet's
 * verdict (fleet-verdict.ts), which decides by what all callers see. A request goes when both let it.
 *
 *              a condition is met (breaker-conditions.ts): failures, or slow calls
 *   ┌────────┐ ────────────────────────────────────────────────────────────────────────► ┌──────┐
 *   │ closed │                                                                           │ open │
 *   └────────┘ ◄──────────────────────── the fleet closes (see below) ────────────────── └──────┘
 *        ▲                                                                    cool-down over │ ▲ a probe fails:
 *        │ N probes succeed      ┌───────────┐      and no fleet verdict stands              │ │ slow or is lost:
 *        └────────────────────── │ half open │ ◄─────────────────────────────────────────────┘ │ cool-down × 2
 *                                └───────────┘ ────────────────────────────────────────────────┘
 *
 * Half-open lets at most N probes out at once, those of earlier rounds included. The cool-down doubles with every failed
 * round up to its maximum, and begins anew once the breaker stayed closed for as long as it was last open. Only calls acquired under the present generation count: what began before the breaker opened says nothing about now.
 *
 * With the fleet: while it says open or half-open, nothing passes but probes for which the fleet gave a token
 * (fleet-tokens.ts), and the local breaker does not half-open; in ramp a share of the former demand passes on to the local
 * breaker. A local breaker that opened under the verdict, or so shortly before it that it saw the same failures, closes
 * when the fleet's ramp begins or the fleet closes; one that opened long before recovers by itself.
 *
 * Nothing is allocated in tryAcquire() and record() but the text of a transition's cause.
 */
import { formatDuration } from '../../proto/kernel/duration.ts';
import { Reason } from '../../proto/reasons.ts';
import { BreakerConditions } from './breaker-conditions.ts';
import type { BreakerSettings, BreakerTransition } from './breaker-settings.ts';
import { BreakerState, type BreakerStateCode, breakerStateName, breakerStateOf, isShut } from './breaker-state.ts';
import type { TokenReading } from './fleet-tokens.ts';
import { FleetVerdict, type FleetVerdictInput } from './fleet-verdict.ts';
import { Outcome } from './outcome.ts';
import { CallWatch } from './overdue-calls.ts';
import { ProbeSlots } from './probe-slots.ts';

export type { BreakerSettings, BreakerTransition } from './breaker-settings.ts';
export { BreakerState, breakerStateName } from './breaker-state.ts';
export type { FleetVerdictInput } from './fleet-verdict.ts';

const probesLimit = 100;
/** What freeze() writes. */
export const frozenNumbers = 11 + FleetVerdict.frozenLength + BreakerConditions.frozenLength + 1 + 2 * probesLimit;

/** The longest window of evidence behind a verdict: a local breaker that opened within it saw the same failures. */
const evidenceWindowMs = 3000;
/** When to come back while probes are out, or while the fleet lets only a share through. */
const retrySoonMs = 100;

export class Breaker {
  /** The local state; see fleetState for the other. */
  state: BreakerStateCode = BreakerState.closed;
  sinceMs = 0;
  /** What brought it here, for people. */
  cause = '';
  /** To be read right after tryAcquire() let a request through, and handed back to record(). */
  generation = 1;
  lastAcquireWasProbe = false;
  /** Why the last refusal: Reason.breakerOpen or Reason.fleetBreakerOpen. */
  refusalReason: number = Reason.breakerOpen;
  readonly conditions: BreakerConditions;
  private settings: BreakerSettings;
  private readonly onTransition: ((transition: BreakerTransition) => void) | undefined;
  private readonly fleet = new FleetVerdict();
  private readonly probes: ProbeSlots;
  /** The last number given out; states and probes draw from one sequence. */
  private serial = 1;
  private stateGeneration = 1;
  /** The last number given out before this round of probes began. */
  private roundStart = 1;
  private probeSuccesses = 0;
  private coolMs: number;
  private openUntilMs = 0;
  /** When a condition or a probe last opened it. */
  private trippedAtMs = Number.NEGATIVE_INFINITY;
  private openedUnderFleet = false;
  /** The last number given out before the fleet let requests through again. */
  private letThroughAt = 0;

  constructor(settings: BreakerSettings, onTransition?: (transition: BreakerTransition) => void) {
    this.settings = settings;
    this.onTransition = onTransition;
    this.coolMs = settings.openForMs;
    this.probes = new ProbeSlots(settings.probes);
    this.conditions = new BreakerConditions(settings);
  }

  get fleetState(): BreakerStateCode {
    return this.fleet.state;
  }

  get fleetGeneration(): number {
    return this.fleet.generation;
  }

  /** Probes out and not given up. */
  get probesInFlight(): number {
    return this.probes.inFlight;
  }

  /** What a request meets: the fleet's state, or the local one where the fleet leaves it to that. */
  get effectiveState(): BreakerStateCode {
    const fleet = this.fleet.state;
    if (fleet === BreakerState.closed) return this.state;
    return fleet === BreakerState.ramp && this.state !== BreakerState.closed ? this.state : fleet;
  }

  /** Whether tryAcquire() would let a request through. For a breaker that no fleet speaks to. */
  admits(nowMs: number): boolean {
    if (this.state === BreakerState.closed) return true;
    this.tick(nowMs);
    return this.state === BreakerState.open ? nowMs >= this.openUntilMs : this.hasRoomForProbe();
  }

  /** The call that tryAcquire() let through begins. To be handed to conditions.answerBegins(), then to record(). */
  watch(nowMs: number): number {
    if (this.state !== BreakerState.closed || this.lastAcquireWasProbe) return CallWatch.none;
    return this.conditions.watch(this.stateGeneration, nowMs);
  }

  /** 0 = go; else refused, and the whole number of ms (≥ 1) until a retry is worth it. */
  tryAcquire(nowMs: number): number {
    this.lastAcquireWasProbe = false;
    if (this.fleet.state !== BreakerState.closed) return this.acquireUnderFleet(nowMs);
    if (this.state !== BreakerState.closed) this.tick(nowMs);
    else this.tripFor(this.conditions.countLate(this.stateGeneration, nowMs), nowMs);
    return this.acquireLocal(nowMs);
  }

  private acquireUnderFleet(nowMs: number): number {
    this.tick(nowMs);
    switch (this.fleet.state) {
      case BreakerState.closed:
        return this.acquireLocal(nowMs);
      case BreakerState.forcedOpen:
        return this.refuse(Reason.fleetBreakerOpen, this.fleet.retryAfterMs(nowMs));
      case BreakerState.open:
      case BreakerState.halfOpen:
        return this.acquireFleetProbe(nowMs);
      case BreakerState.ramp:
        if (!this.fleet.admitsShare(nowMs)) return this.refuse(Reason.fleetBreakerOpen, retrySoonMs);
        return this.acquireLocal(nowMs);
      case BreakerState.forcedClosed:
        this.generation = this.stateGeneration;
        return 0;
    }
  }

  /**
   * `probe` and `generation` as they stood after tryAcquire(), `watched` as watch() or answerBegins() said. Every admitted
   * request must end here once, with Outcome.ignored when it says nothing about the target; a probe that never does frees
   * its slot at its deadline.
   */
  record(
    outcome: number,
    latencyMs: number,
    probe: boolean,
    generation: number,
    nowMs: number,
    watched = CallWatch.none,
  ): void {
    this.tick(nowMs);
    if (probe) this.recordProbe(outcome, latencyMs, generation, nowMs);
    else if (this.state === BreakerState.closed && generation === this.stateGeneration) {
      this.tripFor(this.conditions.count(outcome, latencyMs, watched, generation, nowMs), nowMs);
    }
  }

  /** Lets time pass: verdicts decay, unanswered probes are given up. The others do it too; call it before showing state. */
  tick(nowMs: number): void {
    const overdueMs = this.probes.releaseOverdue(nowMs, this.roundStart);
    if (overdueMs <= nowMs && this.state === BreakerState.halfOpen) {
      this.reopen('a probe was not answered in time', overdueMs);
    }
    const before = this.fleet.state;
    if (before !== BreakerState.closed && this.fleet.decay(nowMs)) this.goAlone(before, nowMs);
  }

  /** null: there is no fleet breaker, and never was. A verdict older than the known one is dropped. */
  applyFleet(verdict: FleetVerdictInput | null, nowMs: number): void {
    this.tick(nowMs);
    const before = this.fleet.state;
    if (verdict === null) {
      this.fleet.clear();
      if (before !== BreakerState.closed) this.leaveFleetState(before);
      return;
    }
    if (!this.fleet.accept(verdict, nowMs)) return;
    if (isShut(this.fleet.state)) this.shutWithFleet(nowMs);
    else if (this.fleet.state !== before && this.fleet.state !== BreakerState.forcedClosed) this.closeWithFleet(nowMs);
    if (this.fleet.state !== before) this.leaveFleetState(before);
  }

  /** Leave to probe while the fleet's verdict stands; false when that round is known already. */
  grant(round: number, tokens: number, untilMs: number): boolean {
    return this.fleet.tokens.take(round, tokens, untilMs);
  }

  /** What became of the last round's tokens. */
  readTokens(into: TokenReading, nowMs: number): void {
    this.fleet.tokens.read(into, nowMs);
  }

  /** Whether a call acquired then says something about the target as the fleet sees it now. */
  countsForFleet(generation: number): boolean {
    return generation > this.letThroughAt;
  }

  /** State and probes in flight stay; the new conditions begin to count where they changed. */
  reconfigure(settings: BreakerSettings, nowMs: number): void {
    this.conditions.reconfigure(settings);
    this.settings = settings;
    this.coolMs = Math.min(Math.max(this.coolMs, settings.openForMs), settings.openForMaxMs);
    this.probes.resize(settings.probes);
    if (this.state === BreakerState.halfOpen) this.closeIfProven(nowMs);
  }

  /** Everything that decides, as numbers: so that threads can have one breaker in common (shared-breaker.ts). */
  protected freeze(into: Float64Array): void {
    let at = 0;
    into[at++] = this.state;
    into[at++] = this.sinceMs;
    into[at++] = this.serial;
    into[at++] = this.stateGeneration;
    into[at++] = this.roundStart;
    into[at++] = this.probeSuccesses;
    into[at++] = this.coolMs;
    into[at++] = this.openUntilMs;
    into[at++] = this.trippedAtMs;
    into[at++] = Number(this.openedUnderFleet);
    into[at++] = this.letThroughAt;
    this.fleet.freeze(into, at);
    at += FleetVerdict.frozenLength;
    this.conditions.freeze(into, at);
    this.probes.freeze(into, at + BreakerConditions.frozenLength, probesLimit);
  }

  protected thaw(from: Float64Array): void {
    let at = 0;
    this.state = breakerStateOf(from[at++]!);
    this.sinceMs = from[at++]!;
    this.serial = from[at++]!;
    this.stateGeneration = from[at++]!;
    this.roundStart = from[at++]!;
    this.probeSuccesses = from[at++]!;
    this.coolMs = from[at++]!;
    this.openUntilMs = from[at++]!;
    this.trippedAtMs = from[at++]!;
    this.openedUnderFleet = from[at++] === 1;
    this.letThroughAt = from[at++]!;
    this.fleet.thaw(from, at);
    at += FleetVerdict.frozenLength;
    this.conditions.thaw(from, at);
    this.probes.thaw(from, at + BreakerConditions.frozenLength, probesLimit);
  }

  private acquireLocal(nowMs: number): number {
    if (this.state === BreakerState.closed) {
      this.generation = this.stateGeneration;
      return 0;
    }
    if (this.state === BreakerState.open) {
      if (nowMs < this.openUntilMs) return this.refuseLocally(nowMs);
      this.transition(BreakerState.halfOpen, `${formatDuration(this.coolMs)} of cool-down are over`, nowMs);
    }
    return this.acquireProbe(Reason.breakerOpen, nowMs);
  }

  private acquireFleetProbe(nowMs: number): number {
    // Open for reasons of its own, this caller would only fail the fleet's round.
    const isOwn = this.state === BreakerState.open && !this.openedUnderFleet && nowMs < this.openUntilMs;
    if (isOwn) return this.refuseLocally(nowMs);
    if (!this.fleet.tokens.canSpend(nowMs)) return this.refuse(Reason.fleetBreakerOpen, this.fleet.retryAfterMs(nowMs));
    this.generation = ++this.serial;
    this.fleet.tokens.spend(this.generation);
    this.lastAcquireWasProbe = true;
    return 0;
  }

  private acquireProbe(reason: number, nowMs: number): number {
    if (!this.hasRoomForProbe()) return this.refuse(reason, retrySoonMs);
    this.generation = ++this.serial;
    this.probes.take(this.generation, nowMs + this.settings.probeTimeoutMs);
    this.lastAcquireWasProbe = true;
    return 0;
  }

  private hasRoomForProbe(): boolean {
    const { inFlight } = this.probes;
    const probesMax = this.settings.probes;
    return inFlight < probesMax && this.probes.inFlightSince(this.roundStart) + this.probeSuccesses < probesMax;
  }

  private refuseLocally(nowMs: number): number {
    return this.refuse(Reason.breakerOpen, Math.max(1, Math.ceil(this.openUntilMs - nowMs)));
  }

  private refuse(reason: number, retryMs: number): number {
    this.refusalReason = reason;
    return retryMs;
  }

  private recordProbe(outcome: number, latencyMs: number, generation: number, nowMs: number): void {
    if (!this.probes.release(generation)) {
      if (this.fleet.tokens.isOf(generation)) this.settleToken(outcome, latencyMs);
      return;
    }
    if (generation <= this.roundStart || outcome === Outcome.ignored) return;
    const failed = outcome === Outcome.failure || this.conditions.isSlow(latencyMs);
    if (!failed) this.probeSuccesses++;
    if (this.state !== BreakerState.halfOpen) return;
    if (failed) this.reopen(outcome === Outcome.failure ? 'a probe failed' : 'a probe was slow', nowMs);
    else this.closeIfProven(nowMs);
  }

  /** The leader decides, by what is reported of the round. */
  private settleToken(outcome: number, latencyMs: number): void {
    if (outcome === Outcome.ignored) this.fleet.tokens.annul();
    else this.fleet.tokens.settle(outcome === Outcome.success && !this.conditions.isSlow(latencyMs));
  }

  private reopen(cause: string, nowMs: number): void {
    this.coolMs = Math.min(this.coolMs * 2, this.settings.openForMaxMs);
    this.open(cause, nowMs);
  }

  private closeIfProven(nowMs: number): void {
    if (this.probeSuccesses < this.settings.probes) return;
    this.transition(BreakerState.closed, `${this.probeSuccesses} probes succeeded`, nowMs);
  }

  private tripFor(cause: string, nowMs: number): void {
    if (cause === '') return;
    if (nowMs - this.sinceMs >= this.coolMs) this.coolMs = this.settings.openForMs;
    this.open(cause, nowMs);
  }

  private open(cause: string, nowMs: number): void {
    this.openUntilMs = nowMs + this.coolMs;
    this.trippedAtMs = nowMs;
    this.openedUnderFleet = this.fleet.state !== BreakerState.closed;
    this.transition(BreakerState.open, cause, nowMs);
  }

  private shutWithFleet(nowMs: number): void {
    if (this.state === BreakerState.halfOpen) {
      this.openUntilMs = nowMs;
      this.transition(BreakerState.open, this.fleetCause(), nowMs);
    }
    // It saw the same failures.
    if (this.state === BreakerState.open && nowMs - this.trippedAtMs <= evidenceWindowMs) this.openedUnderFleet = true;
  }

  private closeWithFleet(nowMs: number): void {
    if (this.state !== BreakerState.open || !this.openedUnderFleet) return;
    this.transition(BreakerState.closed, this.fleetCause(), nowMs);
  }

  /** The verdict ran out. Whoever was shut begins with probes of its own. */
  private goAlone(before: BreakerStateCode, nowMs: number): void {
    this.leaveFleetState(before);
    if (!isShut(before) || this.state !== BreakerState.closed) return;
    this.openUntilMs = nowMs;
    this.transition(BreakerState.open, 'the verdict of the fleet has run out', nowMs);
  }

  /** Calls that began before the fleet let requests through again must not open the local breaker when they fail. */
  private leaveFleetState(before: BreakerStateCode): void {
    if (!isShut(before) || isShut(this.fleet.state)) return;
    this.fleet.tokens.drop();
    this.letThroughAt = this.serial;
    if (this.state === BreakerState.closed) this.beginGeneration();
  }

  private fleetCause(): string {
    return `the fleet is ${breakerStateName(this.fleet.state)}, generation ${this.fleet.generation}`;
  }

  private transition(to: BreakerStateCode, cause: string, nowMs: number): void {
    const from = this.state;
    this.state = to;
    this.sinceMs = nowMs;
    this.cause = cause;
    if (to !== BreakerState.open) this.openedUnderFleet = false;
    this.beginGeneration();
    this.onTransition?.({ from, to, cause, nowMs });
  }

  /** What was acquired before says nothing about what comes. */
  private beginGeneration(): void {
    this.stateGeneration = ++this.serial;
    this.generation = this.stateGeneration;
    this.conditions.reset();
    this.beginRound();
  }

  /** Answers to probes of earlier rounds free their slots and nothing else. */
  private beginRound(): void {
    this.roundStart = this.serial;
    this.probeSuccesses = 0;
  }
}
