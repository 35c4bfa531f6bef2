/** What several sidecars found, as one. */
import { describe, expect, it } from 'vitest';
import { impactOf } from '../../../control-plane/policy/impact.ts';
import type { Rehearsed } from '../../../proto/rehearsal.ts';

const found = (requests: number, rejected: number): Rehearsed => ({
  requests,
  rejected,
  seconds: requests / 100,
  byReason: { rate_limit: rejected },
  byTier: { high: { requests: requests / 2, rejected: 0 }, low: { requests: requests / 2, rejected } },
  routes: [{ route: '/a', requests, rejected }],
  recordedRejected: 0,
  recordedByReason: {},
  caveats: ['callers that would try again are not modelled'],
});

describe('the impact of a policy', () => {
  it('takes its shares from the sums, not from the shares', () => {
    const impact = impactOf('shop/a', { rehearsed: [found(1000, 100), found(200, 0)], silent: [] });
    expect(impact).toMatchObject({
      answered: 2,
      requests: 1200,
      rejected: 100,
      rejectedShare: 100 / 1200,
      seconds: 10,
      byReason: { rate_limit: 100 },
      byTier: { low: { requests: 600, rejected: 100 } },
      routes: [{ route: '/a', requests: 1200, rejected: 100 }],
      caveats: ['callers that would try again are not modelled'],
      summary: 'would have rejected 8.3 % of 1200 requests; high 0.0 %, low 16.7 %; 0.0 % were rejected at the time',
    });
  });

  it('is unknown, not zero, when nobody recorded anything', () => {
    const silent = [{ instance: 'shop/a/a-0', message: 'no request was recorded' }];
    expect(impactOf('shop/a', { rehearsed: [], silent })).toMatchObject({
      rejectedShare: null,
      summary: 'nobody knows: no traffic was recorded',
      silent,
    });
  });
});
