/**
 * The fleet's verdict on one target, as one sidecar holds it: what the leader said last, for as long as its word lasts.
 * A verdict that is not renewed within its time to live decays to "closed", so a dead leader cannot keep a service shut;
 * a leader's late message cannot bring back what a later one decided, since lower (epoch, generation) are dropped.
 *
 * In ramp a share of the demand before the opening is let through, and not of what is wanted now, which the outage may
 * have multiplied. Where that demand is not known, it is the share of what comes.
 */
import { BreakerState, type BreakerStateCode, breakerStateOf, parseBreakerState } from './breaker-state.ts';
import { FleetTokens } from './fleet-tokens.ts';

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
  /** Requests a second that were wanted before it opened; not known when left out. */
  readonly demandPerSecond?: number;
  /** In ramp: 0..1 of a request to begin with, another for each caller, so that rare ones do not all begin late. */
  readonly headStart?: number;
}

/** How long probes and the way back may take is not known. */
const retryMaxMs = 1000;
/** Of a second's share, what may go at once after a pause. */
const burstSeconds = 0.1;

export class FleetVerdict {
  state: BreakerStateCode = BreakerState.closed;
  generation = 0;
  epoch = '';
  evidence = '';
  private untilMs = 0;
  private coolUntilMs = 0;
  private allow = 0;
  private demandPerSecond = 0;
  /** What probes it allows while it is shut. */
  readonly tokens = new FleetTokens();
  /** What may go: ⌊n·allow⌋ of n requests, or what has come together at the allowed rate. */
  private carried = 0;
  private carriedAtMs = 0;

  /** False when it is older than what is known, or says nothing that this version understands. */
  accept(input: FleetVerdictInput, nowMs: number): boolean {
    const state = parseBreakerState(input.state);
    if (state === undefined) return false;
    if (input.epoch < this.epoch || (input.epoch === this.epoch && input.generation < this.generation)) return false;
    // The verdict is repeated in every snapshot; its cool-down runs from the first time.
    if (state !== this.state || input.generation !== this.generation || input.epoch !== this.epoch) {
      this.coolUntilMs = nowMs + (input.coolMs ?? 0);
    }
    if (state !== this.state) {
      this.carried = input.headStart ?? 0;
      this.carriedAtMs = nowMs;
    }
    this.state = state;
    this.generation = input.generation;
    this.epoch = input.epoch;
    this.evidence = input.evidence;
    this.untilMs = nowMs + input.ttlMs;
    this.allow = input.allow > 0 ? Math.min(1, input.allow) : 0;
    this.demandPerSecond = input.demandPerSecond ?? 0;
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
    this.tokens.clear();
  }

  /** In ramp: whether this request belongs to the share. */
  admitsShare(nowMs: number): boolean {
    if (this.allow >= 1) return true;
    if (this.demandPerSecond > 0) {
      const perSecond = this.allow * this.demandPerSecond;
      const earned = (perSecond * (nowMs - this.carriedAtMs)) / 1000;
      this.carried = Math.min(Math.max(1, perSecond * burstSeconds), this.carried + earned);
      this.carriedAtMs = nowMs;
    } else this.carried += this.allow;
    if (this.carried < 1) return false;
    this.carried -= 1;
    return true;
  }

  /** Numbers that freeze() writes; epoch and evidence stay with who hears the verdicts. */
  static readonly frozenLength = 8 + FleetTokens.frozenLength;

  freeze(into: Float64Array, at: number): void {
    into[at] = this.state;
    into[at + 1] = this.generation;
    into[at + 2] = this.untilMs;
    into[at + 3] = this.coolUntilMs;
    into[at + 4] = this.allow;
    into[at + 5] = this.carried;
    into[at + 6] = this.carriedAtMs;
    into[at + 7] = this.demandPerSecond;
    this.tokens.freeze(into, at + 8);
  }

  thaw(from: Float64Array, at: number): void {
    this.state = breakerStateOf(from[at]!);
    this.generation = from[at + 1]!;
    this.untilMs = from[at + 2]!;
    this.coolUntilMs = from[at + 3]!;
    this.allow = from[at + 4]!;
    this.carried = from[at + 5]!;
    this.carriedAtMs = from[at + 6]!;
    this.demandPerSecond = from[at + 7]!;
    this.tokens.thaw(from, at + 8);
  }

  /** While it is shut: ms until a retry is worth it. */
  retryAfterMs(nowMs: number): number {
    const waitMs = this.coolUntilMs > nowMs ? this.coolUntilMs - nowMs : Math.min(retryMaxMs, this.untilMs - nowMs);
    return Math.max(1, Math.ceil(waitMs));
  }
}
