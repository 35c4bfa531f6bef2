/** Arbitrary rate limits and arrival times, and the bound that every limiter must keep. */
import fc from 'fast-check';
import { expect } from 'vitest';
import type { MeterOptions } from '../../../sidecar/admission/meter.ts';

const rates = fc.oneof(fc.constantFrom(1 / 3600, 0.5, 3, 10, 1000), fc.double({ min: 0.01, max: 10_000, noNaN: true }));
const windows = {
  limit: fc.integer({ min: 1, max: 20 }),
  windowMs: fc.oneof(fc.constantFrom(10, 1000, 60_000), fc.integer({ min: 1, max: 5000 })),
};

export const tokenBuckets = fc.record({
  kind: fc.constant('tokenBucket' as const),
  ratePerSecond: rates,
  burst: fc.integer({ min: 1, max: 20 }),
});
export const leakyBuckets = fc.record({
  kind: fc.constant('leakyBucket' as const),
  ratePerSecond: rates,
  waitMaxMs: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 5000, noNaN: true })),
});
export const fixedWindows = fc.record({ kind: fc.constant('fixedWindow' as const), ...windows });
export const slidingWindows = fc.record({ kind: fc.constant('slidingWindow' as const), ...windows });
export const meters: fc.Arbitrary<MeterOptions> = fc.oneof(tokenBuckets, leakyBuckets, fixedWindows, slidingWindows);

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

export interface Passage {
  /** When it went on. */
  readonly atMs: number;
  readonly cost: number;
}

/** What the meters' opening comments promise for a window of `windowMs` that ends with a request of cost `last`. */
function boundOf(options: MeterOptions, windowMs: number, last: number): number {
  switch (options.kind) {
    case 'tokenBucket':
      return options.burst + (windowMs * options.ratePerSecond) / 1000;
    case 'leakyBucket':
      return last + (windowMs * options.ratePerSecond) / 1000;
    case 'fixedWindow':
      return options.limit * (Math.ceil(windowMs / options.windowMs) + 1);
    case 'slidingWindow':
      return options.limit * (1 + windowMs / options.windowMs);
  }
}

/** Every window that begins and ends with an admission, which are the worst ones. `skewMs`: between the clocks. */
export function expectBound(passages: readonly Passage[], options: MeterOptions, skewMs = 0): void {
  const sorted = [...passages].sort((left, right) => left.atMs - right.atMs);
  for (let from = 0; from < sorted.length; from++) {
    let sum = 0;
    for (let to = from; to < sorted.length; to++) {
      const { atMs, cost } = sorted[to]!;
      sum += cost;
      const windowMs = atMs - sorted[from]!.atMs;
      const bound = boundOf(options, windowMs + skewMs, cost);
      if (sum > bound + 0.0101) expect.fail(`${sum} went on in ${windowMs} ms, the bound is ${bound}`);
    }
  }
}
