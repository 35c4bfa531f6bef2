/** The sliding window of the failure ratio, compared with a list of events. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RollingCounts } from '../../../sidecar/resilience/rolling-counts.ts';

describe('RollingCounts', () => {
  it('forgets a tenth of the window at a time', () => {
    const counts = new RollingCounts(1000);
    counts.record(true, 0);
    counts.record(false, 99);
    counts.record(true, 100);
    counts.record(false, 999);
    expect([counts.total, counts.bad]).toEqual([4, 2]);
    counts.record(false, 1000);
    expect([counts.total, counts.bad]).toEqual([3, 1]);
  });

  it('holds what the last ten tenths saw, whatever the times', () => {
    const event = fc.record({ gapMs: fc.oneof(fc.nat(50), fc.nat(3000)), failed: fc.boolean() });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 100 }), (events) => {
        const counts = new RollingCounts(1000);
        const seen: { bucket: number; failed: boolean }[] = [];
        let nowMs = 0;
        for (const { gapMs, failed } of events) {
          nowMs += gapMs;
          counts.record(failed, nowMs);
          seen.push({ bucket: Math.floor(nowMs / 100), failed });
          const recent = seen.filter(({ bucket }) => bucket > Math.floor(nowMs / 100) - 10);
          expect(counts.total).toBe(recent.length);
          expect(counts.bad).toBe(recent.filter((entry) => entry.failed).length);
        }
      }),
    );
  });
});
