/**
 * What decides how many requests may be in the app at once. After Netflix's concurrency-limits, whose `Limit` is these
 * two questions: https://github.com/Netflix/concurrency-limits (Limit.java, Limiter.java).
 *
 * An algorithm keeps all that it knows in one array of numbers, the first of which is its estimate. So threads that share
 * a limit share the algorithm: each feeds its samples to the same numbers, one at a time (Admission holds the lock), and
 * the limit is what one thread with all the samples would have found. Zeroed memory is an algorithm that knows nothing.
 */
export interface ConcurrencyLimit {
  /** A whole number, never outside the bounds of the settings. */
  limit(): number;
  /**
   * A request that went to the app is over. `rttMs`: from forwarding it to the head of the answer (or how long it took
   * to fail). `inFlight`: requests in the app until then, itself among them. `isDrop`: it timed out, was reset, or the
   * app refused it for want of room.
   */
  onSample(nowMs: number, rttMs: number, inFlight: number, isDrop: boolean): void;
  /** The time to the first byte of the answer of an app that is not kept waiting, ms; 0 = not known, or not asked. */
  readonly baseRttMs: number;
}

/** Where every algorithm keeps its estimate; 0 = at its initial value. */
export const estimateCell = 0;

/** Where a limit begins and what it never leaves; whole numbers, 1 ≤ min ≤ initial ≤ max. */
export interface LimitRange {
  readonly min: number;
  readonly max: number;
  readonly initial: number;
}

export function within({ min, max }: LimitRange, limit: number): number {
  return Math.min(max, Math.max(min, limit));
}
