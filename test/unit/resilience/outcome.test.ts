/** The classification of answers, row by row. */
import { describe, expect, it } from 'vitest';
import { classifyGrpc, classifyHttp, Outcome } from '../../../sidecar/resilience/outcome.ts';

const { success, failure, ignored } = Outcome;

describe('classifyHttp', () => {
  it.each([
    [200, success],
    [204, success],
    [304, success],
    [400, success],
    [404, success],
    [408, success],
    [429, ignored],
    [499, ignored],
    [500, failure],
    [501, success],
    [502, failure],
    [503, failure],
    [504, failure],
    [505, success],
    [599, failure],
    [0, failure],
    [600, failure],
    [Number.NaN, failure],
  ])('reads %d', (status, outcome) => {
    expect(classifyHttp(status)).toBe(outcome);
  });

  it('ignores what a sidecar refused by policy, and no other reason', () => {
    for (const reason of ['queue_full', 'queue_timeout', 'rate_limit', 'shed', 'breaker_open', 'draining']) {
      expect(classifyHttp(503, reason)).toBe(ignored);
    }
    for (const reason of ['upstream_connect', 'upstream_reset', 'internal', 'made_up', '']) {
      expect(classifyHttp(503, reason)).toBe(failure);
    }
    expect(classifyHttp(504, 'deadline')).toBe(failure);
    expect(classifyHttp(404, 'no_route')).toBe(success);
  });
});

describe('classifyGrpc', () => {
  it('reads every code', () => {
    const outcomes = Array.from({ length: 17 }, (_, code) => classifyGrpc(code));
    const of = (wanted: number): number[] => outcomes.flatMap((outcome, code) => (outcome === wanted ? [code] : []));
    expect(of(failure)).toEqual([2, 4, 13, 14, 15]);
    expect(of(ignored)).toEqual([1, 8]);
    expect(of(success)).toEqual([0, 3, 5, 6, 7, 9, 10, 11, 12, 16]);
  });

  it('reads a code outside the table as UNKNOWN', () => {
    expect([17, -1, 2.5, Number.NaN].map((code) => classifyGrpc(code))).toEqual([failure, failure, failure, failure]);
  });

  it('ignores UNAVAILABLE from a sidecar that refuses, and not from the service', () => {
    expect(classifyGrpc(14, 'breaker_open')).toBe(ignored);
    expect(classifyGrpc(14)).toBe(failure);
    expect(classifyGrpc(14, 'upstream_connect')).toBe(failure);
  });
});
