/** From rounds to rows: medians, marks of doubt, and the JSON others read. */
import { describe, expect, it } from 'vitest';
import type { Measure } from '../../bench/measure.ts';
import { median, renderCase, summarise, toJson } from '../../bench/report.ts';

const round: Measure = {
  cpuUsPerRequest: 4,
  rps: 200_000.4,
  meanUs: 950.2,
  p99Us: 1800,
  rssMb: 60.04,
  failures: 0,
  requests: 1_000_000,
  coreBusy: 0.99,
  othersBusy: 0,
};

describe('summarise', () => {
  it('takes the median of each figure and the spread of the score', () => {
    const row = summarise([round, { ...round, cpuUsPerRequest: 5, rps: 100 }, { ...round, cpuUsPerRequest: 4.5 }]);
    expect(row.figures).toEqual({ cpuUsPerRequest: 4.5, rps: 200_000, meanUs: 950, p99Us: 1800, rssMb: 60 });
    expect(row.spread).toBeCloseTo(1 / 4.5);
    expect(row.notes).toEqual([]);
  });

  it('marks generator-bound when any round left the core idle, and says who disturbed and what failed', () => {
    expect(summarise([round, { ...round, coreBusy: 0.8 }]).notes).toEqual(['generator-bound (core 80 % busy)']);
    expect(summarise([{ ...round, othersBusy: 0.3 }]).notes).toEqual(['disturbed (others took 30 % of its core)']);
    expect(summarise([{ ...round, failures: 3 }]).notes).toEqual(['3 FAILED']);
    expect(summarise([{ ...round, coreBusy: null }]).notes).toEqual(['not pinned']);
  });

  it('has a median for an even number of rounds', () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([])).toBeNaN();
  });
});

describe('the report', () => {
  const proxies = new Map([
    ['weir', summarise([round])],
    ['haproxy', summarise([{ ...round, cpuUsPerRequest: 8 }])],
  ]);

  it('prints the ratio of Weir to each peer', () => {
    expect(renderCase({ name: 'unary-10x20', proxies }, 'small')).toContain('weir / haproxy 0.50×');
  });

  it('prints exactly the promised object as JSON', () => {
    const figures = { rps: 200_000, meanUs: 950, p99Us: 1800, rssMb: 60 };
    expect(JSON.parse(toJson([{ name: 'unary-10x20', proxies }]))).toEqual({
      cases: [
        {
          name: 'unary-10x20',
          proxies: { weir: { cpuUsPerRequest: 4, ...figures }, haproxy: { cpuUsPerRequest: 8, ...figures } },
        },
      ],
    });
  });
});
