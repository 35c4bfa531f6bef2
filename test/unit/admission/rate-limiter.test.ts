/** One bucket of each kind of meter: exact answers, and its bound over every window of arbitrary arrivals and costs. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MeterOptions } from '../../../sidecar/admission/meter.ts';
import { SingleRateLimiter } from '../../../sidecar/admission/rate-limiter.ts';
import {
  arrivals,
  expectBound,
  fixedWindows,
  leakyBuckets,
  meters,
  type Passage,
  slidingWindows,
  tokenBuckets,
} from './arrivals.ts';

describe('Token bucket', () => {
  it('admits a full burst at once, then one per interval', () => {
    const limiter = new SingleRateLimiter({ kind: 'tokenBucket', ratePerSecond: 10, burst: 3 });
    expect([0, 0, 0].map((nowMs) => limiter.tryAcquire('', nowMs))).toEqual([0, 0, 0]);
    expect(limiter.tryAcquire('', 0)).toBeCloseTo(100, 3);
    expect(limiter.tryAcquire('', 99)).toBeCloseTo(1, 3);
    expect(limiter.tryAcquire('', 100)).toBe(0);
    expect(limiter.tryAcquire('', 100)).toBeCloseTo(100, 3);
  });

  it('is refilled to the burst and no further by a long quiet time', () => {
    const limiter = new SingleRateLimiter({ kind: 'tokenBucket', ratePerSecond: 10, burst: 2 });
    limiter.tryAcquire('', 0);
    const later = 1_000_000;
    expect([0, 1, 2].map(() => limiter.tryAcquire('', later))).toEqual([0, 0, expect.closeTo(100, 3)]);
  });

  it('admits the whole burst where thirds of a millisecond do not add up', () => {
    for (const startMs of [0, 0.1, 123_456.789, 8_640_000_000.333]) {
      const limiter = new SingleRateLimiter({ kind: 'tokenBucket', ratePerSecond: 3000, burst: 1000 });
      let admitted = 0;
      for (let i = 0; i < 1100; i++) if (limiter.tryAcquire('', startMs) === 0) admitted++;
      expect(admitted).toBe(1000);
    }
  });

  it('charges a request its cost, and never admits one that costs more than the burst', () => {
    const limiter = new SingleRateLimiter({ kind: 'tokenBucket', ratePerSecond: 10, burst: 5 });
    expect([4, 2, 1].map((cost) => limiter.tryAcquire('', 0, cost))).toEqual([0, 100, 0]);
    expect(limiter.tryAcquire('', 0, 6)).toBe(Number.POSITIVE_INFINITY);
    expect(limiter.tryAcquire('', 1_000_000, 6)).toBe(Number.POSITIVE_INFINITY);
    expect(limiter.tryAcquire('', 1_000_000, 5)).toBe(0);
  });
});

describe('Leaky bucket', () => {
  const options = { kind: 'leakyBucket', ratePerSecond: 10, waitMaxMs: 250 } as const;

  it('lets requests go on one interval apart, and refuses those whose turn is too far off', () => {
    const limiter = new SingleRateLimiter(options);
    expect([0, 0, 0, 0].map((nowMs) => limiter.tryAcquire('', nowMs))).toEqual([0, -100, -200, 50]);
    expect([50, 50].map((nowMs) => limiter.tryAcquire('', nowMs))).toEqual([-250, 100]);
    expect(limiter.tryAcquire('', 10_000)).toBe(0);
  });

  it('gives no turn to who would not wait for it', () => {
    const limiter = new SingleRateLimiter(options);
    limiter.tryAcquire('', 0);
    expect(limiter.tryAcquire('', 0, 1, 0)).toBe(100);
    expect(limiter.tryAcquire('', 0, 1, 99)).toBe(1);
    expect(limiter.tryAcquire('', 0, 1, 100)).toBe(-100);
  });

  it('keeps those behind a costly request back for its cost', () => {
    const limiter = new SingleRateLimiter(options);
    expect([limiter.tryAcquire('', 0, 2), limiter.tryAcquire('', 0), limiter.tryAcquire('', 0)]).toEqual([0, -200, 50]);
  });
});

describe('Fixed window', () => {
  const options = { kind: 'fixedWindow', limit: 3, windowMs: 1000 } as const;

  it('admits its limit in each window of the clock, so twice the limit around an edge', () => {
    const limiter = new SingleRateLimiter(options);
    const answers = (nowMs: number) => [1, 2, 3, 4].map(() => limiter.tryAcquire('', nowMs));
    expect(answers(900)).toEqual([0, 0, 0, 100]);
    expect(answers(1000)).toEqual([0, 0, 0, 1000]);
    expect(answers(5500)).toEqual([0, 0, 0, 500]);
  });

  it('charges a request its cost, and never admits one that costs more than the limit', () => {
    const limiter = new SingleRateLimiter(options);
    expect([2, 2, 1, 4].map((cost) => limiter.tryAcquire('', 0, cost))).toEqual([0, 1000, 0, Number.POSITIVE_INFINITY]);
  });
});

describe('Sliding window', () => {
  const options = { kind: 'slidingWindow', limit: 10, windowMs: 1000 } as const;

  it('counts the share of the last window that still overlaps, so there is no double share at the edge', () => {
    const limiter = new SingleRateLimiter(options);
    const admittedAt = (nowMs: number): number =>
      Array.from({ length: 20 }, () => limiter.tryAcquire('', nowMs)).filter((answer) => answer === 0).length;
    expect([900, 1000, 1250, 1500, 2000, 4000].map(admittedAt)).toEqual([10, 0, 2, 3, 5, 10]);
  });

  it('says when there will be room: in this window, or in the next', () => {
    const limiter = new SingleRateLimiter(options);
    for (let i = 0; i < 10; i++) limiter.tryAcquire('', 500);
    expect(limiter.tryAcquire('', 500)).toBeCloseTo(600, 2);
    expect(limiter.tryAcquire('', 1000)).toBeCloseTo(100, 2);
    expect(limiter.tryAcquire('', 1000, 5)).toBeCloseTo(500, 2);
    expect(limiter.tryAcquire('', 1000, 11)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('Every meter', () => {
  const costs = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 200, maxLength: 200 });

  it('admits a caller who comes exactly when it was told to', () => {
    fc.assert(
      fc.property(meters, fc.double({ min: 0, max: 1e8, noNaN: true }), costs, (options, startMs, asked) => {
        const limiter = new SingleRateLimiter(options);
        let nowMs = startMs;
        for (const cost of asked) {
          const waitMs = limiter.tryAcquire('', nowMs, cost);
          if (waitMs <= 0 || waitMs === Number.POSITIVE_INFINITY) continue;
          nowMs += waitMs;
          expect(limiter.tryAcquire('', nowMs, cost)).toBeLessThanOrEqual(0);
        }
      }),
    );
  });

  it.each([
    { promise: 'burst + w · rate', options: tokenBuckets },
    { promise: 'the last one + w · rate', options: leakyBuckets },
    { promise: 'limit · (⌈w/W⌉ + 1)', options: fixedWindows },
    { promise: 'limit · (1 + w/W)', options: slidingWindows },
  ])('keeps its bound in every window: at most $promise', ({ options }) => {
    fc.assert(
      fc.property(fc.oneof(options), arrivals, costs, (limit, times, asked) => {
        const limiter = new SingleRateLimiter(limit);
        const passages: Passage[] = [];
        for (const [i, nowMs] of times.entries()) {
          const cost = i % 2 === 0 ? 1 : asked[i]!;
          const answer = limiter.tryAcquire('', nowMs, cost);
          if (limit.kind === 'leakyBucket') expect(-answer).toBeLessThanOrEqual(limit.waitMaxMs + 0.001);
          if (answer <= 0) passages.push({ atMs: nowMs - answer, cost });
        }
        expectBound(passages, limit);
      }),
      { numRuns: 300 },
    );
  });

  it('reaches its bound: no tighter one would be true', () => {
    const most = (options: MeterOptions, times: readonly number[]): number => {
      const limiter = new SingleRateLimiter(options);
      return times.filter((nowMs) => limiter.tryAcquire('', nowMs) <= 0).length;
    };
    const at = (nowMs: number): number[] => Array<number>(40).fill(nowMs);
    expect(most({ kind: 'tokenBucket', ratePerSecond: 10, burst: 10 }, [...at(0), ...at(1000)])).toBe(20);
    expect(most({ kind: 'fixedWindow', limit: 10, windowMs: 1000 }, [...at(999), ...at(1000)])).toBe(20);
    const everyMs = Array.from({ length: 1000 }, (_, i) => 1000 + i);
    expect(most({ kind: 'slidingWindow', limit: 10, windowMs: 1000 }, [...at(999.9), ...everyMs])).toBe(19);
  });

  it('says how much it would still admit, and is right', () => {
    fc.assert(
      fc.property(meters, arrivals, (options, times) => {
        const limiter = new SingleRateLimiter(options);
        for (const nowMs of times.slice(0, 40)) {
          limiter.tryAcquire('', nowMs);
          const remaining = limiter.remaining(nowMs);
          expect(Number.isInteger(remaining) && remaining >= 0).toBe(true);
          expect(limiter.steadyMs(nowMs)).toBeGreaterThanOrEqual(0);
        }
        const nowMs = times.at(-1) ?? 0;
        const said = limiter.remaining(nowMs);
        const taken = Math.min(said, 50);
        for (let i = 0; i < taken; i++) expect(limiter.tryAcquire('', nowMs)).toBeLessThanOrEqual(0);
        if (said <= 50) expect(limiter.tryAcquire('', nowMs)).toBeGreaterThan(0);
      }),
      { numRuns: 300 },
    );
  });

  it('is one bucket for all threads that share its memory, also for one whose clock is behind', () => {
    fc.assert(
      fc.property(
        meters,
        arrivals,
        fc.array(fc.boolean(), { minLength: 200, maxLength: 200 }),
        (options, times, who) => {
          const memory = new SharedArrayBuffer(SingleRateLimiter.bytesFor(options));
          const [a, b] = [1, 2].map((owner) => new SingleRateLimiter(options, memory, owner));
          const passages: Passage[] = [];
          for (const [i, nowMs] of times.entries()) {
            // The second thread's clock is up to 3 ms behind.
            const ownMs = who[i] ? nowMs : Math.max(0, nowMs - 3);
            const answer = (who[i] ? a! : b!).tryAcquire('', ownMs);
            if (answer > 0) continue;
            // A leaky bucket promises the distance of the turns that it gives.
            passages.push({ atMs: options.kind === 'leakyBucket' ? ownMs - answer : nowMs, cost: 1 });
          }
          expectBound(passages, options, options.kind === 'leakyBucket' ? 0 : 3);
        },
      ),
      { numRuns: 200 },
    );
  });
});
