/** Staged rollouts, decided from facts moved by hand. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  aborted,
  beginRollout,
  decideRollout,
  isActive,
  paused,
  percentOf,
  type Rollout,
  type RolloutFacts,
  resumed,
  stepsMax,
} from '../../../control-plane/policy/rollout.ts';
import { isClearlyMore, noCounts, type SideCounts } from '../../../control-plane/policy/rollout-evidence.ts';
import { readRollout } from '../../../control-plane/policy/rollout-record.ts';
import { checkRolloutRequest } from '../../../control-plane/policy/rollout-request.ts';
import { chooseSalt } from '../../../control-plane/policy/rollout-salt.ts';
import { obeysCandidate } from '../../../proto/policy/bundle.ts';
import type { TrafficPolicy } from '../../../proto/policy/schema.ts';

const t0 = 1_764_000_000_000;
const candidate: TrafficPolicy = {
  apiVersion: 'weir.dev/v1alpha1',
  kind: 'TrafficPolicy',
  metadata: { name: 'payments', namespace: 'shop' },
  spec: { target: { service: 'payments' }, inbound: { concurrency: { fixed: { limit: 8 } } } },
};
const counts = (requests: number, rejected = 0, failed = 0): SideCounts => ({
  requests,
  rejected,
  failed,
  succeeded: requests - rejected - failed,
});
const start = (more: Partial<Rollout> = {}): Rollout => ({
  ...beginRollout({
    policy: 'shop/payments',
    target: 'shop/payments',
    baseRevision: 3,
    candidate,
    stages: [
      { percent: 10, holdMs: 10_000 },
      { percent: 100, holdMs: 10_000 },
    ],
    tolerance: { rejectedPoints: 5, failedPoints: 2 },
    salt: 's',
    by: 'ann',
    reason: 'smaller',
    before: { inbound: counts(500, 5), outbound: noCounts },
    wallMs: t0,
  }),
  ...more,
});
const nothing = { candidate: noCounts, stable: noCounts };
const facts = (more: Partial<RolloutFacts> = {}): RolloutFacts => ({
  documentRevision: 3,
  isDocumentCandidate: false,
  chosen: 2,
  refused: [],
  awaited: 0,
  inbound: nothing,
  outbound: nothing,
  observedMs: 60_000,
  ...more,
});
const next = (rollout: Rollout, seen: RolloutFacts, wallMs: number): Rollout => {
  const decision = decideRollout(rollout, seen, wallMs);
  if (decision.kind === 'wait') throw new Error(`it waits: ${decision.text}`);
  return decision.rollout;
};

describe('a rollout', () => {
  it('goes from stage to stage when each was held, and ends as the policy', () => {
    const begun = start();
    expect(decideRollout(begun, facts(), t0 + 9_000)).toEqual({ kind: 'wait', text: '1 s to go' });
    const second = next(begun, facts(), t0 + 10_000);
    expect([second.stage, percentOf(second), second.phase]).toEqual([1, 100, 'progressing']);
    expect(decideRollout(second, facts(), t0 + 19_999).kind).toBe('wait');
    const last = decideRollout(second, facts(), t0 + 20_000);
    expect(last).toMatchObject({ kind: 'promote', rollout: { phase: 'promoted' } });
  });

  it('waits for who was chosen and does not obey yet, and for evidence of its own after another drove it', () => {
    expect(decideRollout(start(), facts({ awaited: 1 }), t0 + 60_000)).toEqual({
      kind: 'wait',
      text: '1 of 2 instances do not obey yet',
    });
    expect(decideRollout(start(), facts({ observedMs: 4_000 }), t0 + 60_000)).toEqual({
      kind: 'wait',
      text: '1 s to go',
    });
    expect(decideRollout(start(), facts({ observedMs: 5_000 }), t0 + 60_000).kind).toBe('next');
  });

  it('is rolled back when a chosen instance refuses it, with the reason', () => {
    const refused = [{ instance: 'shop/payments/payments-0', message: '/candidate/inbound: is unknown' }];
    const over = next(start(), facts({ refused }), t0 + 100);
    expect([over.phase, percentOf(over), isActive(over)]).toEqual(['rolledBack', 0, false]);
    expect(over.steps.at(-1)).toMatchObject({
      by: '',
      percent: 10,
      text: 'shop/payments/payments-0 refused it because /candidate/inbound: is unknown',
    });
  });

  it('is rolled back when it rejects clearly more than the others, also while it is paused, with the evidence', () => {
    const inbound = { candidate: counts(100, 60), stable: counts(900, 9) };
    for (const rollout of [start(), paused(start(), t0, 'ann', '')]) {
      const over = next(rollout, facts({ inbound }), t0 + 1_000);
      expect(over.phase).toBe('rolledBack');
      expect(over.steps.at(-1)?.evidence).toEqual([
        {
          side: 'inbound',
          measure: 'rejected',
          candidate: { count: 60, of: 100 },
          compared: { count: 9, of: 900 },
          comparedWith: 'stable',
          text: 'instances with the candidate reject 60.0 % of 100 requests, the others 1.0 % of 900',
        },
      ]);
    }
  });

  it('is rolled back when callers with it lose success, and not within the tolerance', () => {
    const outbound = { candidate: counts(200, 0, 40), stable: counts(800, 0, 8) };
    expect(next(start(), facts({ outbound }), t0).steps.at(-1)?.text).toBe(
      'callers with the candidate fail 20.0 % of 200 calls, the others 1.0 % of 800',
    );
    const tolerant = start({ tolerance: { rejectedPoints: 100, failedPoints: 100 } });
    expect(decideRollout(tolerant, facts({ outbound, inbound: outbound }), t0).kind).toBe('wait');
  });

  it('is compared with what was before when nobody is left without it', () => {
    const inbound = { candidate: counts(400, 200), stable: noCounts };
    const over = next(start({ stage: 1 }), facts({ inbound }), t0);
    expect(over.steps.at(-1)?.evidence[0]).toMatchObject({ comparedWith: 'before', compared: { count: 5, of: 500 } });
  });

  it('is over when the document was written; promoted, when it was written by a driver that died', () => {
    const other = next(start(), facts({ documentRevision: 4 }), t0);
    expect([other.phase, other.steps.at(-1)?.text]).toEqual([
      'superseded',
      'the policy was written by somebody else, revision 4',
    ]);
    expect(next(start(), facts({ documentRevision: 4, isDocumentCandidate: true }), t0).phase).toBe('promoted');
  });

  it('holds no longer for a pause, and not what was held before it', () => {
    const pause = paused(start(), t0 + 6_000, 'bob', 'lunch');
    expect(decideRollout(pause, facts(), t0 + 600_000)).toEqual({ kind: 'wait', text: 'paused' });
    const going = resumed(pause, t0 + 600_000, 'bob');
    expect(decideRollout(going, facts(), t0 + 603_999)).toEqual({ kind: 'wait', text: '1 s to go' });
    expect(decideRollout(going, facts(), t0 + 604_000).kind).toBe('next');
    expect(going.steps.map(({ by, text }) => `${by}: ${text}`)).toEqual([
      'ann: began: smaller',
      'bob: paused: lunch',
      'bob: resumed',
    ]);
  });

  it('keeps a bounded number of steps, and is read again as it was written', () => {
    let rollout = start();
    for (let i = 0; i < stepsMax; i++) rollout = resumed(paused(rollout, t0 + i, 'x', ''), t0 + i, 'x');
    expect(rollout.steps).toHaveLength(stepsMax);
    expect(rollout.steps[0]?.text).toBe('began: smaller');
    const over = next(aborted(rollout, t0, 'x', 'no'), facts({ documentRevision: 9 }), t0);
    for (const one of [rollout, over]) expect(readRollout(JSON.parse(JSON.stringify(one)))).toEqual(one);
    expect(readRollout({ ...rollout, phase: 'exploded' })).toBeUndefined();
    expect(readRollout({ ...rollout, candidate: { ...candidate, kind: 'Later' } })).toBeUndefined();
  });
});

describe('isClearlyMore', () => {
  it('says nothing about few requests, nor about a difference that chance makes', () => {
    expect(isClearlyMore({ count: 19, of: 19 }, { count: 0, of: 1000 }, 0.05)).toBe(false);
    expect(isClearlyMore({ count: 20, of: 20 }, { count: 0, of: 1000 }, 0.05)).toBe(true);
    expect(isClearlyMore({ count: 4, of: 30 }, { count: 30, of: 1000 }, 0)).toBe(false);
    expect(isClearlyMore({ count: 60, of: 1000 }, { count: 10, of: 1000 }, 0.05)).toBe(false);
    expect(isClearlyMore({ count: 150, of: 1000 }, { count: 10, of: 1000 }, 0.05)).toBe(true);
  });

  it('never blames a candidate that does no worse', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: 1000 }), (per, a, b) => {
        const share = (of: number) => ({ count: Math.floor((per / 1000) * of), of });
        expect(isClearlyMore(share(a), share(b), 0)).toBe(false);
      }),
    );
  });
});

describe('chooseSalt', () => {
  it('lets the first stage be tried by somebody of each group, in about the share that was asked for', () => {
    const groups = [['payments-0', 'payments-1', 'payments-2'], Array.from({ length: 40 }, (_, i) => `orders-${i}`)];
    const salt = chooseSalt('payments-3', 10, groups);
    const chosen = groups.map((group) => group.filter((id) => obeysCandidate({ percent: 10, salt }, id)).length);
    expect(chosen).toEqual([1, 4]);
    expect(chooseSalt('x', 10, [[], []])).toBe('x-0');
  });
});

describe('checkRolloutRequest', () => {
  it('names every error: unknown fields, stages that do not rise, holds that are too long', () => {
    const wrong = checkRolloutRequest({ policy: {}, stagez: [] });
    expect(wrong).toMatchObject({ ok: false, errors: [{ pointer: '/stagez' }] });
    const stages = [
      { percent: 50, hold: '1s' },
      { percent: 50, hold: '25h' },
    ];
    expect(checkRolloutRequest({ policy: {}, stages })).toEqual({
      ok: false,
      errors: [
        { pointer: '/stages/1/percent', message: '50 % is not more than the 50 % before it' },
        { pointer: '/stages/1/hold', message: '25h is more than 24h' },
      ],
    });
    expect(checkRolloutRequest({ policy: {}, tolerance: { failedPoints: 100 } })).toMatchObject({
      ok: true,
      stages: [{ percent: 10 }, { percent: 50 }, { percent: 100, holdMs: 60_000 }],
      tolerance: { rejectedPoints: 5, failedPoints: 100 },
    });
  });
});
