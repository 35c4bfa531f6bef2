/** How far the coordinator looks back, and what stands for those that are silent within that time. */
import { describe, expect, it } from 'vitest';
import { CallerCounts } from '../../../control-plane/coordination/caller-counts.ts';
import { weighEvidence } from '../../../control-plane/coordination/evidence-window.ts';

function callers(count: number, say: (counts: CallerCounts, index: number) => void): Map<string, CallerCounts> {
  return new Map(
    Array.from({ length: count }, (_, index) => {
      const counts = new CallerCounts();
      say(counts, index);
      return [`caller-${index}`, counts];
    }),
  );
}

describe('weighEvidence', () => {
  it('decides in 300 ms when these hold enough', () => {
    const all = callers(4, (counts) => counts.add({ n: 5, fail: 5, intervalMs: 100 }, 10_000));
    expect(weighEvidence(all, 10_050)).toMatchObject({ windowMs: 300, n: 20, fail: 20, open: true });
  });

  it('looks further back for callers with few requests', () => {
    const all = callers(3, (counts) => {
      for (let atMs = 9000; atMs <= 10_000; atMs += 200) counts.add({ n: 1, fail: 1, intervalMs: 200 }, atMs);
    });
    expect(weighEvidence(all, 10_050)).toMatchObject({ windowMs: 700, n: 12, fail: 12, open: true });
  });

  it('looks back no further than 3 s', () => {
    const all = callers(3, (counts) => counts.add({ n: 50, fail: 50, intervalMs: 100 }, 6000));
    expect(weighEvidence(all, 10_000)).toMatchObject({ windowMs: 3000, n: 0, open: false });
  });

  it('spreads successes over their interval, so that traffic before an outage does not hide it', () => {
    const all = callers(3, (counts) => {
      counts.add({ n: 51, fail: 1, intervalMs: 1000 }, 10_000);
      counts.add({ n: 5, fail: 5, intervalMs: 100 }, 10_100);
      counts.add({ n: 5, fail: 5, intervalMs: 100 }, 10_200);
    });
    // Of the 50 successes before it, a tenth lie within the window.
    expect(weighEvidence(all, 10_200)).toMatchObject({ windowMs: 300, n: 48, fail: 33, open: true });
  });

  it('lets the last counts of a healthy silent caller stand, scaled to the window', () => {
    const all = callers(4, (counts, index) => {
      if (index === 0) counts.add({ n: 100, fail: 0, intervalMs: 1000 }, 5000);
      else counts.add({ n: 10, fail: 10, intervalMs: 100 }, 10_000);
    });
    const finding = weighEvidence(all, 10_000);
    expect(finding.votes[0]).toEqual({ caller: 'caller-0', n: 30, fail: 0 });
    expect(finding).toMatchObject({ n: 60, fail: 30, failingVoters: 3 });
  });

  it('lets nothing stand for a failing silent caller', () => {
    const all = callers(4, (counts, index) => {
      counts.add({ n: 10, fail: 10, intervalMs: 100 }, index === 0 ? 5000 : 10_000);
    });
    expect(weighEvidence(all, 10_000).votes[0]).toEqual({ caller: 'caller-0', n: 0, fail: 0 });
  });
});
