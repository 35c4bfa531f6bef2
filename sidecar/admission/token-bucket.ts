/**
 * A token bucket in one number, by the generic cell rate algorithm: `tat` is the theoretical arrival time of the next
 * request of a perfectly paced caller. A request moves it on by one interval T = 1/rate for each unit of its cost, and is
 * refused when that would bring it more than burst·T ahead of now. A bucket that counts tokens needs a refill, two numbers
 * and a timer or a multiplication per request, and says no more.
 *
 * Bound: admits at most burst + w·rate in any window of w seconds, counted in cost, up to a hundredth of a request.
 */
import type { Meter } from './meter.ts';
import { roundingFor } from './rounding.ts';

export interface TokenBucketOptions {
  readonly ratePerSecond: number;
  readonly burst: number;
}

export class TokenBucket implements Meter {
  readonly numbers = 1;
  /** T, one request's share of time. */
  private readonly intervalMs: number;
  /** How far ahead of now the theoretical arrival time may run: burst·T. */
  private readonly toleranceMs: number;
  private readonly roundingMs: number;
  private readonly burst: number;

  constructor({ ratePerSecond, burst }: TokenBucketOptions) {
    this.intervalMs = 1000 / ratePerSecond;
    this.toleranceMs = burst * this.intervalMs;
    this.roundingMs = roundingFor(this.intervalMs);
    this.burst = burst;
  }

  take(row: Float64Array, at: number, cost: number, nowMs: number, _patienceMs: number): number {
    const nextMs = Math.max(row[at]!, nowMs) + cost * this.intervalMs;
    const excessMs = nextMs - nowMs - this.toleranceMs;
    if (excessMs > this.roundingMs) return cost > this.burst ? Number.POSITIVE_INFINITY : excessMs;
    row[at] = nextMs;
    return 0;
  }

  isIdle(row: Float64Array, at: number, nowMs: number): boolean {
    return row[at]! <= nowMs;
  }

  remaining(row: Float64Array, at: number, nowMs: number): number {
    const aheadMs = Math.max(0, row[at]! - nowMs);
    return Math.max(0, Math.floor((this.toleranceMs - aheadMs + this.roundingMs) / this.intervalMs));
  }

  /** Until it is full again; it only gains meanwhile. */
  steadyMs(row: Float64Array, at: number, nowMs: number): number {
    return Math.max(0, row[at]! - nowMs);
  }
}
