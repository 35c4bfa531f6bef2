/** The counts of one report, and the bound of their endpoint table. */
import { describe, expect, it } from 'vitest';
import { Outcome } from '../../../sidecar/resilience/outcome.ts';
import { endpointsTrackedMax, TargetCounts } from '../../../sidecar/resilience/target-counts.ts';

describe('TargetCounts', () => {
  it('gives the interval and begins the next at zero', () => {
    const counts = new TargetCounts();
    for (let i = 0; i < 5; i++) counts.recordDemand();
    counts.recordOutcome(Outcome.success, 10, 'a:1');
    counts.recordOutcome(Outcome.failure, 30, 'a:1', true);
    counts.recordOutcome(Outcome.ignored, 1000, 'a:1');
    counts.recordShed();
    counts.recordLocalFailure();
    expect(counts.drain()).toEqual({
      n: 2,
      fail: 1,
      slow: 1,
      localFail: 1,
      shed: 1,
      latencyMeanMs: 20,
      demand: 5,
      endpoints: [{ address: 'a:1', n: 2, fail: 1 }],
    });
    expect(counts.drain()).toEqual({
      n: 0,
      fail: 0,
      slow: 0,
      localFail: 0,
      shed: 0,
      latencyMeanMs: 0,
      demand: 0,
      endpoints: [],
    });
  });

  it('names the eight endpoints that failed most, worst first', () => {
    const counts = new TargetCounts();
    for (let endpoint = 0; endpoint < 12; endpoint++) {
      for (let i = 0; i < endpoint; i++) counts.recordOutcome(Outcome.failure, 1, `e:${endpoint}`);
    }
    expect(counts.drain().endpoints.map((entry) => entry.fail)).toEqual([11, 10, 9, 8, 7, 6, 5, 4]);
  });

  it('counts endpoints beyond its table in the totals only, and tracks them again in the next interval', () => {
    const counts = new TargetCounts();
    for (let i = 0; i < endpointsTrackedMax; i++) counts.recordOutcome(Outcome.success, 1, `e:${i}`);
    counts.recordOutcome(Outcome.failure, 1, 'late:1');
    const first = counts.drain();
    expect([first.n, first.fail]).toEqual([endpointsTrackedMax + 1, 1]);
    expect(first.endpoints.some((entry) => entry.address === 'late:1')).toBe(false);
    counts.recordOutcome(Outcome.failure, 1, 'late:1');
    expect(counts.drain().endpoints).toEqual([{ address: 'late:1', n: 1, fail: 1 }]);
  });
});
