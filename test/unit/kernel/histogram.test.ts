/** The log-linear histogram: its precision, quantiles, merging, and indices from a faulty peer. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addSparse,
  bucketOf,
  bucketUpperUs,
  Histogram,
  histogramBuckets,
  quantileMs,
} from '../../../proto/kernel/histogram.ts';

describe('histogram buckets', () => {
  it('hold every value in a bucket at most 6.25 % wide', () => {
    fc.assert(
      fc.property(fc.integer({ min: 16, max: 67_000_000 }), (us) => {
        const upper = bucketUpperUs(bucketOf(us));
        expect(upper).toBeGreaterThan(us);
        expect(upper).toBeLessThanOrEqual(us * 1.0625 + 1);
      }),
    );
  });

  it('are in the order of the values', () => {
    const outOfOrder: number[] = [];
    for (let us = 2; us < 100_000; us++) {
      const step = bucketOf(us) - bucketOf(us - 1);
      if (step !== 0 && step !== 1) outOfOrder.push(us);
    }
    expect(outOfOrder).toEqual([]);
  });

  it('take in what is no duration or beyond the range', () => {
    expect([Number.NaN, -5, 0, 0.5].map(bucketOf)).toEqual([0, 0, 0, 0]);
    expect(bucketOf(Number.POSITIVE_INFINITY)).toBe(histogramBuckets - 1);
  });
});

describe('Histogram', () => {
  it('knows quantiles to within a bucket', () => {
    const histogram = new Histogram();
    for (let ms = 1; ms <= 1000; ms++) histogram.record(ms);
    expect(histogram.quantileMs(0.5)).toBeGreaterThanOrEqual(500);
    expect(histogram.quantileMs(0.5)).toBeLessThanOrEqual(500 * 1.0625 + 0.001);
    expect(histogram.quantileMs(0.99)).toBeGreaterThanOrEqual(990);
    expect(histogram.count).toBe(1000);
    expect(histogram.sumMs).toBe(500_500);
  });

  it('says nothing of nothing', () => {
    expect(new Histogram().quantileMs(0.5)).toBeNaN();
  });

  it('is merged by adding counts, and taken apart again', () => {
    const [a, b] = [new Histogram(), new Histogram()];
    for (let i = 0; i < 50; i++) a.record(1);
    for (let i = 0; i < 50; i++) b.record(100);
    const sum = new Float64Array(histogramBuckets);
    addSparse(sum, a.toSparse());
    addSparse(sum, b.toSparse());
    expect(quantileMs(sum, 100, 0.25)).toBeCloseTo(1, 0);
    expect(quantileMs(sum, 100, 0.75)).toBeGreaterThan(99);
    addSparse(sum, b.toSparse(), -1);
    expect(sum).toEqual(a.counts);
  });

  it('ignores indices of a faulty peer', () => {
    const sum = new Float64Array(histogramBuckets);
    addSparse(sum, [-1, 5, histogramBuckets, 5, 3]);
    expect(sum.every((count) => count === 0)).toBe(true);
  });
});
