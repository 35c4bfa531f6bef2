/** From rounds to rows: medians, marks of doubt, and the JSON others read. */
import { describe, expect, it } from 'vitest';
import { loadCases } from '../../bench/cases.ts';
import type { FigureName } from '../../bench/figures.ts';
import { countAnswers, faultOf, type Measure } from '../../bench/measure.ts';
import { type CaseResult, median, renderCase, summarise, toJsonCases } from '../../bench/report.ts';
import { isMet, judge, renderVerdicts } from '../../bench/targets.ts';

const round: Measure = {
  cpuUsPerRequest: 4,
  cpuUsPerMb: 400,
  rps: 200_000.4,
  mbPerS: 20,
  meanUs: 950.2,
  p99Us: 1800,
  rssMb: 60.04,
  failures: 0,
  requests: 1_000_000,
  coreBusy: 0.99,
  othersBusy: 0,
  rateShare: null,
};
const columns: readonly FigureName[] = ['cpuUsPerRequest', 'rps', 'meanUs', 'p99Us', 'rssMb'];
const rowOf = (...rounds: Partial<Measure>[]) =>
  summarise(
    rounds.map((part) => ({ ...round, ...part })),
    columns,
  );

describe('summarise', () => {
  it('takes the median of each figure and the spread of the score', () => {
    const row = rowOf({}, { cpuUsPerRequest: 5, rps: 100 }, { cpuUsPerRequest: 4.5 });
    expect(row.figures).toEqual({ cpuUsPerRequest: 4.5, rps: 200_000, meanUs: 950, p99Us: 1800, rssMb: 60 });
    expect(row.spread).toBeCloseTo(1 / 4.5);
    expect(row.notes).toEqual([]);
    expect(row.invalid).toBeNull();
  });

  it('takes p99 from the rounds that have it', () => {
    expect(rowOf({ p99Us: Number.NaN }, { p99Us: 900 }).figures.p99Us).toBe(900);
  });

  it('marks generator-bound when any round left the core idle, and says who disturbed', () => {
    expect(rowOf({}, { coreBusy: 0.8 }).notes).toEqual(['generator-bound (core 80 % busy)']);
    expect(rowOf({ othersBusy: 0.3 }).notes).toEqual(['disturbed (others took 30 % of its core)']);
    expect(rowOf({ coreBusy: null }).notes).toEqual(['not pinned']);
    expect(rowOf({ coreBusy: null, rateShare: 1 }).notes).toEqual([]);
  });

  it('has a median for an even number of rounds', () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([])).toBeNaN();
  });
});

describe('a row', () => {
  it('is invalid when one request of any round failed, or the rate was another', () => {
    expect(rowOf({}, { failures: 3 }).invalid).toBe('3 of 1000003 requests FAILED');
    expect(faultOf({ ...round, requests: 0 })).toBe('no request was answered');
    expect(faultOf({ ...round, rateShare: 0.5 })).toBe('only 50 % of the rate');
    expect(faultOf({ ...round, rateShare: 0.99 })).toBeNull();
  });

  it('counts what its case is about: answers, or refusals, and the rest as failures', () => {
    const caseOf = (name: string) => loadCases.find((known) => known.name === name)!;
    const result = { requests: 900, refusals: 100, failures: 1, meanUs: 1, bytes: 0 };
    expect(countAnswers(caseOf('unary-10x20'), result, 3)).toEqual({ requests: 900, failures: 101 });
    expect(countAnswers(caseOf('rejections'), result, 3)).toEqual({ requests: 100, failures: 901 });
    expect(countAnswers(caseOf('rejections'), { ...result, requests: 4 }, 3)).toEqual({ requests: 100, failures: 1 });
  });
});

describe('the report', () => {
  const result: CaseResult = {
    name: 'unary-10x20',
    columns,
    proxies: new Map([
      ['weir', rowOf({})],
      ['haproxy', rowOf({ cpuUsPerRequest: 8 })],
      ['envoy', rowOf({ cpuUsPerRequest: 1, failures: 5 })],
    ]),
    outside: new Map([['nghttpx', 'it has no limit']]),
  };

  it('prints the ratio of Weir to each peer whose row is valid, and why others have no part', () => {
    const text = renderCase(result, 'small');
    expect(text).toContain('weir / haproxy 0.50×');
    expect(text).not.toContain('weir / envoy');
    expect(text).toContain('INVALID: 5 of 1000005 requests FAILED');
    expect(text).toMatch(/nghttpx +has no part: it has no limit/);
  });

  it('prints exactly the promised object as JSON, and no figures of an invalid row', () => {
    const figures = { rps: 200_000, meanUs: 950, p99Us: 1800, rssMb: 60 };
    expect(JSON.parse(JSON.stringify(toJsonCases([result])))).toEqual([
      {
        name: 'unary-10x20',
        proxies: {
          weir: { cpuUsPerRequest: 4, ...figures },
          haproxy: { cpuUsPerRequest: 8, ...figures },
          envoy: { invalid: '5 of 1000005 requests FAILED' },
        },
      },
    ]);
  });

  it('judges targets by ratio and by figure, and says what was not measured', () => {
    const verdicts = judge(
      [result],
      [
        { cases: ['unary-10x20'], figure: 'cpuUsPerRequest', peer: 'haproxy', max: 0.5 },
        { cases: ['unary-10x20'], figure: 'cpuUsPerRequest', peer: 'envoy', max: 10 },
        { cases: ['unary-10x20'], figure: 'rssMb', max: 59 },
        { cases: ['another'], figure: 'rssMb', max: 1 },
      ],
    );
    expect(verdicts.map(({ value }) => value)).toEqual([0.5, null, 60]);
    expect(verdicts.map(isMet)).toEqual([true, null, false]);
    expect(renderVerdicts(verdicts)).toMatch(/1 met, 1 missed, 1 not measured[\s\S]*MISSED[\s\S]*60\.000 +≤ 59/);
  });
});
