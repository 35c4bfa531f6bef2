/**
 * The arithmetic of a rate limit, apart from where its numbers are kept. A bucket is a row of numbers in a typed array,
 * private or shared with other threads, one row for all requests or one for each key; all zeros are a bucket that nobody
 * has used. Each kind of meter says in its opening comment how much it admits at most in any window of time:
 *
 *   token bucket     token-bucket.ts     a burst, then the rate
 *   leaky bucket     leaky-bucket.ts     the rate and no burst: requests wait for their turn
 *   fixed window     fixed-window.ts     a number per window of the clock
 *   sliding window   sliding-window.ts   the same, without the double share at the edge of two windows
 *
 * Time never runs backwards for one thread. The request of a thread whose clock is d behind the others' counts as if it had
 * come up to d earlier, so the bounds of windows hold for w + d; buckets only refuse more.
 */
export type MeterOptions =
  | {
      readonly kind: 'tokenBucket';
      readonly ratePerSecond: number;
      /** Cost admitted at once after a quiet time, at least 1. */
      readonly burst: number;
    }
  | {
      readonly kind: 'leakyBucket';
      readonly ratePerSecond: number;
      /** Whose turn would come later is refused. */
      readonly waitMaxMs: number;
    }
  | {
      readonly kind: 'fixedWindow' | 'slidingWindow';
      /** Cost per window, at least 1. */
      readonly limit: number;
      readonly windowMs: number;
    };

export interface Meter {
  /** How many numbers a row has. */
  readonly numbers: number;
  /**
   * Asks for a request of this cost, at least 1.
   *
   *   0          admitted
   *   below 0    admitted, but to go on −answer ms from now; no more than `patienceMs`
   *   above 0    refused, and the row is as it was; in so many ms it would be admitted
   *   Infinity   refused for ever: it costs more than the bucket holds
   */
  take(row: Float64Array, at: number, cost: number, nowMs: number, patienceMs: number): number;
  /** The row says no more than zeros would: who remembers it may forget it. */
  isIdle(row: Float64Array, at: number, nowMs: number): boolean;
  /** The cost that would be admitted now. */
  remaining(row: Float64Array, at: number, nowMs: number): number;
  /** For how long nobody takes that away but the caller itself, ms. */
  steadyMs(row: Float64Array, at: number, nowMs: number): number;
}
