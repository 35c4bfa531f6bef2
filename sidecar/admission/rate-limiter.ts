/**
 * A token bucket in one number, by the generic cell rate algorithm: `tat` is the theoretical arrival time of the next
 * request of a perfectly paced caller. Each request moves it on by one interval T = 1/rate; a request is refused when
 * that would bring it more than burst·T ahead of now. A bucket that counts tokens needs a refill, two numbers and a
 * timer or a multiplication per request, and says no more.
 *
 * Bound: in any window of w seconds at most burst + w·rate requests are admitted.
 */

/**
 * Slack for rounding: sums of fractional milliseconds would otherwise refuse the last request of a full burst. A
 * nanosecond is no more than 1 % of a request at the highest rate that a policy may name.
 */
const roundingMs = 1e-6;

export interface RateLimiterOptions {
  readonly ratePerSecond: number;
  /** Requests admitted at once after a quiet time, at least 1. */
  readonly burst: number;
}

export class GcraLimiter {
  private readonly intervalMs: number;
  private readonly toleranceMs: number;
  private tatMs = Number.NEGATIVE_INFINITY;

  constructor(options: RateLimiterOptions) {
    this.intervalMs = intervalMsOf(options);
    this.toleranceMs = toleranceMsOf(options);
  }

  /** 0 when admitted, else the milliseconds until a request would be. */
  tryAcquire(nowMs: number): number {
    const nextMs = Math.max(this.tatMs, nowMs) + this.intervalMs;
    const excessMs = nextMs - nowMs - this.toleranceMs;
    if (excessMs > 0) return excessMs;
    this.tatMs = nextMs;
    return 0;
  }
}

/** The emission interval T. */
export function intervalMsOf(options: RateLimiterOptions): number {
  return 1000 / options.ratePerSecond;
}

/** How far ahead of now the theoretical arrival time may run: burst·T. */
export function toleranceMsOf(options: RateLimiterOptions): number {
  return options.burst * intervalMsOf(options) + roundingMs;
}
