/** Pauses after failures: they double, they end, and echoes of a failure do not lengthen them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { XorShift32 } from '../../../proto/kernel/random.ts';
import { Backoff } from '../../../sidecar/resilience/backoff.ts';

describe('Backoff', () => {
  it('doubles the pause with every failure after a pause, up to its limit, and begins anew after a success', () => {
    const backoff = new Backoff({ firstMs: 100, maxMs: 1000, jitterShare: 0 }, new XorShift32(1));
    let nowMs = 0;
    const pauses = Array.from({ length: 6 }, () => {
      backoff.recordFailure(nowMs);
      const pauseMs = backoff.untilMs - nowMs;
      nowMs = backoff.untilMs;
      return pauseMs;
    });
    expect(pauses).toEqual([100, 200, 400, 800, 1000, 1000]);
    backoff.recordSuccess();
    expect(backoff.isWaiting(nowMs)).toBe(false);
    backoff.recordFailure(nowMs);
    expect(backoff.untilMs - nowMs).toBe(100);
  });

  it('takes failures during a pause for echoes of the one that began it', () => {
    const backoff = new Backoff({ firstMs: 100, maxMs: 1000, jitterShare: 0 }, new XorShift32(1));
    for (let i = 0; i < 100; i++) backoff.recordFailure(5);
    expect([backoff.failures, backoff.untilMs]).toEqual([1, 105]);
    expect([backoff.isWaiting(104.9), backoff.isWaiting(105)]).toEqual([true, false]);
  });

  it('stays within its share of jitter and above nothing, whatever the number of failures', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 60 }), (seed, failures) => {
        const backoff = new Backoff({ firstMs: 25, maxMs: 1000, jitterShare: 0.2 }, new XorShift32(seed));
        let nowMs = 0;
        for (let i = 0; i < failures; i++) {
          const plainMs = Math.min(1000, 25 * 2 ** i);
          backoff.recordFailure(nowMs);
          expect(backoff.untilMs - nowMs).toBeGreaterThanOrEqual(plainMs * 0.8 - 1e-6);
          expect(backoff.untilMs - nowMs).toBeLessThanOrEqual(plainMs * 1.2 + 1e-6);
          nowMs = backoff.untilMs;
        }
      }),
    );
  });
});
