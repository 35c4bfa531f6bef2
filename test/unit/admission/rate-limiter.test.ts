/** GCRA: exact answers, and its bound over every window of arbitrary arrivals. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GcraLimiter } from '../../../sidecar/admission/rate-limiter.ts';
import { arrivals, expectBound, limits } from './arrivals.ts';

describe('GcraLimiter', () => {
  it('admits a full burst at once, then one per interval', () => {
    const limiter = new GcraLimiter({ ratePerSecond: 10, burst: 3 });
    expect([0, 0, 0].map((nowMs) => limiter.tryAcquire(nowMs))).toEqual([0, 0, 0]);
    expect(limiter.tryAcquire(0)).toBeCloseTo(100, 3);
    expect(limiter.tryAcquire(99)).toBeCloseTo(1, 3);
    expect(limiter.tryAcquire(100)).toBe(0);
    expect(limiter.tryAcquire(100)).toBeCloseTo(100, 3);
  });

  it('is refilled to the burst and no further by a long quiet time', () => {
    const limiter = new GcraLimiter({ ratePerSecond: 10, burst: 2 });
    limiter.tryAcquire(0);
    const later = 1_000_000;
    expect([0, 1, 2].map(() => limiter.tryAcquire(later))).toEqual([0, 0, expect.closeTo(100, 3)]);
  });

  it('admits the whole burst where thirds of a millisecond do not add up', () => {
    for (const startMs of [0, 0.1, 123_456.789, 8_640_000_000.333]) {
      const limiter = new GcraLimiter({ ratePerSecond: 3000, burst: 1000 });
      let admitted = 0;
      for (let i = 0; i < 1100; i++) if (limiter.tryAcquire(startMs) === 0) admitted++;
      expect(admitted).toBe(1000);
    }
  });

  it('admits a caller who comes exactly when it was told to', () => {
    fc.assert(
      fc.property(limits, fc.double({ min: 0, max: 1e8, noNaN: true }), (limit, startMs) => {
        const limiter = new GcraLimiter(limit);
        let nowMs = startMs;
        for (let i = 0; i < 50; i++) {
          const waitMs = limiter.tryAcquire(nowMs);
          if (waitMs === 0) continue;
          expect(waitMs).toBeGreaterThan(0);
          nowMs += waitMs;
          expect(limiter.tryAcquire(nowMs)).toBe(0);
        }
      }),
    );
  });

  it('keeps its bound in every window: at most burst + w · rate', () => {
    fc.assert(
      fc.property(limits, arrivals, (limit, times) => {
        const limiter = new GcraLimiter(limit);
        expectBound(
          times.filter((nowMs) => limiter.tryAcquire(nowMs) === 0),
          limit,
        );
      }),
      { numRuns: 300 },
    );
  });
});
