/**
 * The fleet's verdict on one target, as one sidecar holds it: what the leader said last, for as long as its word lasts.
 * A verdict that is not renewed within its time to live decays to "closed", so a dead leader cannot keep a service shut;
 * a leader's late message cannot bring back what a later one decided, since lower (epoch, generation) are dropped.
 */
import { BreakerState, type BreakerStateCode, breakerStateOf, parseBreakerState } from './breaker-state.ts';

export interface FleetVerdictInput {
  /** closed, open, half_open, ramp, forced_open or forced_closed; other words are ignored. */
  readonly state: string;
  readonly generation: number;
  /** Orders as text; a higher one wins whatever the generation. */
  readonly epoch: string;
  /** From reception, on this sidecar's clock. */
  readonly ttlMs: number;
  /** In ramp: the share of requests let through, 0..1. */
  readonly allow: number;
  /** One line for people. */
  readonly evidence: string;
  /** How long the target is left alone; gives refused callers a better time to come back. */
  readonly coolMs?: number;
}

export class FleetVerdict {
  state: BreakerStateCode = BreakerState.closed;
  generation = 0;
  epoch = '';
  evidence = '';
  private untilMs = 0;
  private coolUntilMs = 0;
  private allow = 0;
  /** Error diffusion: the share carried over from request to request; it admits exactly ⌊n·allow⌋ of n. */
  private carried = 0;

  /** False when it is older than what is known, or says nothing that this version understands. */
  accept(input: FleetVerdictInput, nowMs: number): boolean {
    const state = parseBreakerState(input.state);
    if (state === undefined) return false;
    if (input.epoch < this.epoch || (input.epoch === this.epoch && input.generation < this.generation)) return false;
    // The verdict is repeated in every snapshot; its cool-down runs from the first time.
    if (state !== this.state || input.generation !== this.generation || input.epoch !== this.epoch) {
      this.coolUntilMs = nowMs + (input.coolMs ?? 0);
    }
    this.state = state;
    this.generation = input.generation;
    this.epoch = input.epoch;
    this.evidence = input.evidence;
    this.untilMs = nowMs + input.ttlMs;
    this.allow = input.allow > 0 ? Math.min(1, input.allow) : 0;
    return true;
  }

  /** True when the verdict's time is up. Its epoch and generation stay, so an older one still does not come back. */
  decay(nowMs: number): boolean {
    if (this.state === BreakerState.closed || nowMs < this.untilMs) return false;
    this.state = BreakerState.closed;
    return true;
  }

  /** Forgets everything, also the order of verdicts. */
  clear(): void {
    this.state = BreakerState.closed;
    this.generation = 0;
    this.epoch = '';
    this.evidence = '';
    this.carried = 0;
  }

  /** In ramp: whether this request belongs to the share. */
  admitsShare(): boolean {
    this.carried += this.allow;
    if (this.carried < 1) return false;
    this.carried -= 1;
    return true;
  }

  /** Numbers that freeze() writes; epoch and evidence stay with who hears the verdicts. */
  static readonly frozenLength = 6;

  freeze(into: Float64Array, at: number): void {
    into[at] = this.state;
    into[at + 1] = this.generation;
    into[at + 2] = this.untilMs;
    into[at + 3] = this.coolUntilMs;
    into[at + 4] = this.allow;
    into[at + 5] = this.carried;
  }

  thaw(from: Float64Array, at: number): void {
    this.state = breakerStateOf(from[at]!);
    this.generation = from[at + 1]!;
    this.untilMs = from[at + 2]!;
    this.coolUntilMs = from[at + 3]!;
    this.allow = from[at + 4]!;
    this.carried = from[at + 5]!;
  }

  /** While open: ms until a retry is worth it. */
  retryAfterMs(nowMs: number): number {
    const untilMs = this.coolUntilMs > nowMs ? this.coolUntilMs : this.untilMs;
    return Math.max(1, Math.ceil(untilMs - nowMs));
  }
}
