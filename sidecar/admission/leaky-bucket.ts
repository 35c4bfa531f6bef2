/**
 * A leaky bucket as a pacer: requests leave one by one, T = 1/rate apart, and who comes early waits for its turn instead
 * of being refused. The line is one number, the time at which the next turn is free; a request takes that turn, and the
 * next one is T later for each unit of its cost. Turns are given in the order of arrival. Whose turn is further off than
 * waitMax, or than its own patience (its deadline, a full line), is refused at once and takes no turn.
 *
 * A request that goes away while it waits leaves its turn unused: nobody moves up, so the bound holds whatever callers do.
 *
 * Bound: lets at most 1 + w·rate requests go on in any window of w seconds, up to a hundredth of a request; with costs, at
 * most w·rate and the cost of the last one. Nobody waits longer than waitMax.
 */
import type { Meter } from './meter.ts';
import { roundingFor } from './rounding.ts';

export interface LeakyBucketOptions {
  readonly ratePerSecond: number;
  readonly waitMaxMs: number;
}

export class LeakyBucket implements Meter {
  readonly numbers = 1;
  private readonly intervalMs: number;
  private readonly waitMaxMs: number;
  private readonly roundingMs: number;

  constructor({ ratePerSecond, waitMaxMs }: LeakyBucketOptions) {
    this.intervalMs = 1000 / ratePerSecond;
    this.waitMaxMs = waitMaxMs;
    this.roundingMs = roundingFor(this.intervalMs);
  }

  take(row: Float64Array, at: number, cost: number, nowMs: number, patienceMs: number): number {
    const turnMs = Math.max(row[at]!, nowMs);
    const waitMs = turnMs - nowMs;
    const excessMs = waitMs - Math.min(this.waitMaxMs, patienceMs);
    if (excessMs > this.roundingMs) return excessMs;
    row[at] = turnMs + cost * this.intervalMs;
    return waitMs > this.roundingMs ? -waitMs : 0;
  }

  isIdle(row: Float64Array, at: number, nowMs: number): boolean {
    return row[at]! <= nowMs;
  }

  /** Turns within waitMax. */
  remaining(row: Float64Array, at: number, nowMs: number): number {
    const leftMs = this.waitMaxMs - Math.max(0, row[at]! - nowMs);
    return leftMs < -this.roundingMs ? 0 : 1 + Math.floor((leftMs + this.roundingMs) / this.intervalMs);
  }

  /** Until nobody is ahead. */
  steadyMs(row: Float64Array, at: number, nowMs: number): number {
    return Math.max(0, row[at]! - nowMs);
  }
}
