/**
 * When the proxy sheds to save itself: samples in, a share of refusals out.
 */
import { describe, expect, test } from 'vitest';
import { SelfShedder } from '../../../sidecar/admission/self-shedder.ts';

const options = { lagMsMax: 100, heapShareMax: 0.9 };

/** Samples every 100 ms; answers the share after each. */
function sharesOver(shedder: SelfShedder, lags: readonly number[], heapShare = 0.5): number[] {
  return lags.map((lagMs, index) => {
    shedder.sample(index * 100, lagMs, heapShare);
    return shedder.share;
  });
}

describe('SelfShedder', () => {
  test('sheds nothing on a lag that does not last half a second', () => {
    const shedder = new SelfShedder(options);
    expect(sharesOver(shedder, [500, 500, 500, 500, 500, 0, 500, 500, 500, 500, 500, 10])).toEqual(Array(12).fill(0));
    expect(shedder.cause).toBe('none');
  });

  test('sheds more the longer the lag lasts, up to nine of ten', () => {
    const shedder = new SelfShedder(options);
    const shares = sharesOver(shedder, Array<number>(20).fill(150));
    expect(shares.slice(4, 8)).toEqual([0, 0.1, 0.2, 0.3]);
    expect(shares.at(-1)).toBe(0.9);
    expect(shedder.cause).toBe('lag');
  });

  test('holds its share between the thresholds, and lets go step by step below half of the limit', () => {
    const shedder = new SelfShedder(options);
    sharesOver(shedder, Array<number>(8).fill(150));
    expect(sharesOver(shedder, [80, 80, 80])).toEqual([0.3, 0.3, 0.3]);
    expect(sharesOver(shedder, [40, 40, 40, 40])).toEqual([0.2, 0.1, 0, 0]);
  });

  test('sheds at once when the heap is nearly full, all of it near the end, until it is well below', () => {
    const shedder = new SelfShedder(options);
    const sharesAt = (heaps: readonly number[]): number[] =>
      heaps.map((heap) => sharesOver(shedder, [0], heap)[0] ?? -1);
    expect(sharesAt([0.89, 0.9, 0.92, 0.96, 0.88, 0.86, 0.84])).toEqual([0, 0.5, expect.closeTo(0.7, 5), 1, 1, 1, 0]);
  });

  test('refuses exactly its share, evenly', () => {
    const shedder = new SelfShedder(options);
    sharesOver(shedder, Array<number>(8).fill(150));
    const refused = Array.from({ length: 1000 }, () => shedder.refusesNext());
    expect(refused.filter(Boolean).length).toBeGreaterThanOrEqual(299);
    expect(refused.filter(Boolean).length).toBeLessThanOrEqual(300);
    expect(refused.slice(0, 50).filter(Boolean).length).toBeGreaterThanOrEqual(14);
  });

  test('never sheds by what is switched off', () => {
    const shedder = new SelfShedder({ lagMsMax: 0, heapShareMax: 0 });
    expect(sharesOver(shedder, Array<number>(20).fill(10_000), 1)).toEqual(Array(20).fill(0));
  });
});
