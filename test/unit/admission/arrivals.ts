/** Arbitrary rate limits and arrival times, and the bound that every limiter must keep. */
import fc from 'fast-check';
import { expect } from 'vitest';
import type { RateLimiterOptions } from '../../../sidecar/admission/rate-limiter.ts';

export const limits: fc.Arbitrary<RateLimiterOptions> = fc.record({
  ratePerSecond: fc.oneof(
    fc.constantFrom(1 / 3600, 0.5, 3, 10, 1000),
    fc.double({ min: 0.01, max: 10_000, noNaN: true }),
  ),
  burst: fc.integer({ min: 1, max: 20 }),
});

/** Bursts, trickles and quiet times, as the distances between arrivals. */
const gap = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  { weight: 3, arbitrary: fc.double({ min: 0, max: 5, noNaN: true }) },
  { weight: 1, arbitrary: fc.double({ min: 0, max: 5000, noNaN: true }) },
);

export const arrivals: fc.Arbitrary<number[]> = fc.array(gap, { maxLength: 200 }).map((gaps) => {
  let nowMs = 0;
  return gaps.map((gapMs) => (nowMs += gapMs));
});

/** Every window that begins and ends with an admission, which are the worst ones. */
export function expectBound(admittedMs: readonly number[], limit: RateLimiterOptions): void {
  for (let from = 0; from < admittedMs.length; from++) {
    for (let to = from; to < admittedMs.length; to++) {
      const windowMs = admittedMs[to]! - admittedMs[from]!;
      const bound = limit.burst + (windowMs * limit.ratePerSecond) / 1000;
      if (to - from + 1 > bound + 0.0101) {
        expect.fail(`${to - from + 1} admitted in ${windowMs} ms, the bound is ${bound}`);
      }
    }
  }
}
