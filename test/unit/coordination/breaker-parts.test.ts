/** The parts of the fleet's breaker, each by itself: rounds, stages, culprits, witnesses, endpoints, flaps, slots. */
import { describe, expect, it } from 'vitest';
import { ejectedForMs, endpointsMax, FailingEndpoints } from '../../../control-plane/coordination/failing-endpoints.ts';
import { FlapDamping } from '../../../control-plane/coordination/flap-damping.ts';
import { ProbeRound, shareTokens } from '../../../control-plane/coordination/probe-round.ts';
import { RampStage, rampShare, rampStepOf } from '../../../control-plane/coordination/ramp-stage.ts';
import { Suspects, suspectsMax } from '../../../control-plane/coordination/suspects.ts';
import { Voter } from '../../../control-plane/coordination/voters.ts';
import { Witnesses, witnessesMax } from '../../../control-plane/coordination/witnesses.ts';
import { blankCounts } from '../../../proto/fleet-blanks.ts';
import { hashMembers, SlotSuccesses, slotAt } from '../../../proto/fleet-slots.ts';
import { XorShift32 } from '../../../proto/kernel/random.ts';
import { identity } from './coordinator-rig.ts';

const nowMs = 100_000;

function voter(name: string, { demand = 10, zone = '', spokeAgoMs = 0 } = {}): Voter {
  const one = new Voter(name, { identity: { ...identity(name), zone }, seq: 1 });
  one.spokeAtMs = nowMs - spokeAgoMs;
  one.demandPerSecond = demand;
  if (demand > 0) one.demandAtMs = nowMs;
  return one;
}

function counted(name: string, n: number, fail: number, atMs = nowMs): Voter {
  const one = voter(name);
  one.add({ n, fail, intervalMs: 100 }, atMs);
  return one;
}

describe('shareTokens', () => {
  const share = (voters: Voter[], suspects: string[] = []) =>
    shareTokens(voters, new Set(suspects), new XorShift32(1), nowMs);
  const total = (shares: ReturnType<typeof share>) => shares.reduce((sum, { count }) => sum + count, 0);

  it('gives five tokens to five of many callers', () => {
    const shares = share(Array.from({ length: 100 }, (_, i) => voter(`a-${i}`)));
    expect(shares.map(({ count }) => count)).toEqual([1, 1, 1, 1, 1]);
    expect(shares.map(({ first }) => first)).toEqual([0, 1, 2, 3, 4]);
  });

  it('gives several to the few that want much, and no more than one to those that want little', () => {
    expect(total(share([voter('a'), voter('b')]))).toBe(5);
    expect(share([voter('a', { demand: 0.5 }), voter('b', { demand: 0.5 })]).map(({ count }) => count)).toEqual([1, 1]);
  });

  it('goes across zones', () => {
    const voters = Array.from({ length: 30 }, (_, i) => voter(`a-${i}`, { zone: i < 28 ? 'east' : 'west' }));
    expect(share(voters).filter(({ to }) => to.zone === 'west')).toHaveLength(2);
  });

  it('leaves out suspects, and callers that were not heard for 400 ms', () => {
    const voters = [voter('a'), voter('b', { spokeAgoMs: 401 }), voter('c')];
    expect(share(voters, ['c']).map(({ to }) => to.key)).toEqual(['a']);
  });

  it('has one caller ask the target itself when nobody wants anything, and nobody when nobody is there', () => {
    expect(share([voter('a', { demand: 0 })])).toMatchObject([{ count: 1, healthCheck: true }]);
    expect(share([])).toEqual([]);
  });
});

describe('ProbeRound', () => {
  function round(results: readonly { used?: number; ok?: number; failed?: number; live?: boolean }[]): ProbeRound {
    const shares = results.map((_, i) => ({ to: voter(`a-${i}`), first: i, count: 1, healthCheck: false }));
    const one = new ProbeRound(7, shares, 0, nowMs);
    results.forEach(({ used = 0, ok = 0, failed = 0, live = false }, i) => {
      one.hear(`a-${i}`, {
        ...blankCounts,
        ...{ round: 7, tokensHeld: 1, tokensUsed: used, probesOk: ok, probesFailed: failed, tokensLive: live },
      });
    });
    return one;
  }
  const ok = { used: 1, ok: 1 };
  const failed = { used: 1, failed: 1 };
  const pending = { live: true };

  it.each([
    ['four of five succeeded', [ok, ok, ok, ok, failed], 'passed'],
    ['three of five succeeded', [ok, ok, ok, failed, failed], 'failed'],
    ['two failed already', [failed, failed, pending, pending, pending], 'failed'],
    ['four succeeded already', [ok, ok, ok, ok, pending], 'passed'],
    ['some are out', [ok, ok, pending, pending, pending], 'wait'],
    ['two were not used', [ok, ok, ok, {}, {}], 'passed'],
    ['only two were used', [ok, ok, {}, {}, {}], 'again'],
    ['none was used', [{}, {}, {}, {}, {}], 'again'],
  ])('when %s', (_, results, kind) => {
    expect(round(results).judge(nowMs + 500).kind).toBe(kind);
  });

  it('takes for failed what was not reported 1.2 s after it began', () => {
    const one = round([ok, ok, ok, pending, pending]);
    expect(one.judge(nowMs + 1199).kind).toBe('wait');
    expect(one.judge(nowMs + 1200).kind).toBe('failed');
  });

  it('believes no more than was granted, and nothing of other rounds', () => {
    const one = round([pending]);
    one.hear('a-0', { ...blankCounts, round: 6, probesFailed: 1 });
    one.hear('a-0', { ...blankCounts, round: 7, tokensUsed: 9, probesOk: 9, probesFailed: 9 });
    expect(one.judge(nowMs)).toEqual({ kind: 'again', ok: 1 });
  });
});

describe('RampStage', () => {
  const after = (ms: number, n: number, fail = 0, shed = 0) => {
    const stage = new RampStage(2, nowMs);
    stage.hear({ n, fail, shed });
    return stage.judge(nowMs + ms);
  };

  it('doubles the share from 5 % to all', () => {
    expect([0, 1, 2, 3, 4, 5].map(rampShare)).toEqual([0.05, 0.1, 0.2, 0.4, 0.8, 1]);
    expect([0.05, 0.1, 0.2, 0.4, 0.8, 1].map(rampStepOf)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it.each([
    [299, 100, 0, 0, 'wait'],
    [300, 100, 0, 0, 'advance'],
    [300, 100, 10, 0, 'advance'],
    [300, 100, 13, 0, 'wait'],
    [100, 100, 17, 0, 'failed'],
    [100, 3, 3, 0, 'failed'],
    [499, 1, 0, 0, 'wait'],
    [500, 0, 0, 0, 'advance'],
    [500, 1, 1, 0, 'wait'],
    [2000, 1, 1, 0, 'advance'],
    [2000, 100, 13, 0, 'failed'],
    [1999, 100, 0, 50, 'wait'],
    [2000, 100, 0, 50, 'advance'],
  ])('after %d ms with %d answers, %d failed, %d shed: %s-s', (ms, n, fail, shed, result) => {
    expect(after(ms, n, fail, shed)).toBe(result);
  });
});

describe('Suspects', () => {
  const look = (suspects: Suspects, voters: Voter[], atMs: number) =>
    suspects.look(new Map(voters.map((one) => [one.key, one])), atMs);
  const well = (atMs: number) => ['a', 'b', 'c'].map((name) => counted(name, 10, 0, atMs));

  it('names who fails for a moment while the rest is well, and forgets it after 10 s', () => {
    const suspects = new Suspects();
    look(suspects, [...well(nowMs), counted('x', 5, 5)], nowMs);
    expect([...suspects.named]).toEqual([]);
    look(suspects, [...well(nowMs + 300), counted('x', 5, 5, nowMs + 300)], nowMs + 300);
    expect([...suspects.named]).toEqual(['x']);
    look(suspects, well(nowMs + 10_301), nowMs + 10_301);
    expect([...suspects.named]).toEqual([]);
  });

  it('names nobody while most fail', () => {
    const suspects = new Suspects();
    for (const atMs of [nowMs, nowMs + 500]) {
      look(suspects, [counted('a', 9, 0, atMs), counted('x', 5, 5, atMs), counted('y', 5, 5, atMs)], atMs);
    }
    expect(suspects.named.size).toBe(0);
  });

  it('acquits those found just before the breaker opens', () => {
    const suspects = new Suspects();
    for (const atMs of [nowMs, nowMs + 300]) look(suspects, [...well(atMs), counted('x', 5, 5, atMs)], atMs);
    suspects.acquit(nowMs + 400);
    expect(suspects.named.size).toBe(0);
  });

  it('names no more than its bound', () => {
    const suspects = new Suspects();
    for (const atMs of [nowMs, nowMs + 300]) {
      const many = Array.from({ length: 200 }, (_, i) => counted(`w-${i}`, 10, 0, atMs));
      look(suspects, [...many, ...Array.from({ length: 90 }, (_, i) => counted(`x-${i}`, 5, 5, atMs))], atMs);
    }
    expect(suspects.named.size).toBe(suspectsMax);
  });
});

describe('Witnesses', () => {
  const well = { ...blankCounts, n: 20, fail: 1, demand: 20 };

  it('vouch when what comes in is answered well, for the window that they saw', () => {
    const witnesses = new Witnesses();
    witnesses.hear('a', well, nowMs);
    expect(witnesses.vouch(300, nowMs + 150)).toBe(true);
    // The last report of one that was killed.
    expect(witnesses.vouch(300, nowMs + 151)).toBe(false);
  });

  it.each([
    ['fail', { ...well, fail: 2 }],
    ['do not come out', { ...well, demand: 26 }],
    ['are too few', { ...well, n: 9, fail: 0, demand: 9 }],
  ])('do not when requests %s', (_, row) => {
    const witnesses = new Witnesses();
    witnesses.hear('a', row, nowMs);
    expect(witnesses.vouch(300, nowMs)).toBe(false);
  });

  it('do not while half of them are silent, or beyond their bound', () => {
    const witnesses = new Witnesses();
    witnesses.hear('a', well, nowMs - 1000);
    witnesses.hear('b', well, nowMs);
    expect(witnesses.vouch(300, nowMs)).toBe(false);
    const many = new Witnesses();
    for (let i = 0; i < witnessesMax; i++) many.hear(`a-${i}`, { ...well, n: 0, fail: 0, demand: 0 }, nowMs);
    many.hear('one more', well, nowMs);
    expect(many.vouch(300, nowMs)).toBe(false);
  });
});

describe('FailingEndpoints', () => {
  const bad = { address: '10.0.0.1:80', n: 20, fail: 20 };
  const good = { address: '10.0.0.2:80', n: 20, fail: 0 };

  it('are confined when others serve, for long enough to be sure', () => {
    const endpoints = new FailingEndpoints();
    endpoints.hear([bad, good], 100, nowMs);
    expect(endpoints.confined(300, nowMs)).toEqual({ failing: [bad.address], isSure: false });
    expect(endpoints.confined(300, nowMs + 200)).toEqual({ failing: [bad.address], isSure: true });
    endpoints.eject([bad.address], nowMs);
    expect(endpoints.ejected(nowMs + ejectedForMs - 1)).toEqual([bad.address]);
    expect(endpoints.ejected(nowMs + ejectedForMs)).toEqual([]);
  });

  it('are not when the others fail, too, or nothing is known of them', () => {
    const endpoints = new FailingEndpoints();
    endpoints.hear([bad, { ...good, fail: 3 }], 100, nowMs);
    expect(endpoints.confined(300, nowMs).failing).toEqual([]);
    const alone = new FailingEndpoints();
    alone.hear([bad], 100, nowMs);
    expect(alone.confined(300, nowMs).failing).toEqual([]);
  });

  it('are counted up to a bound', () => {
    const endpoints = new FailingEndpoints();
    const many = Array.from({ length: endpointsMax }, (_, i) => ({ address: `10.0.1.${i}:80`, n: 5, fail: 0 }));
    endpoints.hear([...many, bad], 100, nowMs);
    expect(endpoints.confined(300, nowMs).failing).toEqual([]);
  });
});

describe('FlapDamping', () => {
  it('damps from the third opening in a short time on, and forgets by halves', () => {
    const damping = new FlapDamping();
    for (let i = 0; i < 2; i++) damping.recordOpening(nowMs + i * 1000);
    expect(damping.isDamped(nowMs + 1000)).toBe(false);
    damping.recordOpening(nowMs + 2000);
    expect(damping.isDamped(nowMs + 2000)).toBe(true);
    expect(damping.isDamped(nowMs + 62_000)).toBe(false);
  });
});

describe('time slots', () => {
  it('are seconds since the opening, open in their middle half', () => {
    expect(slotAt(10_249, 8000)).toEqual({ number: 2, leftMs: 0 });
    expect(slotAt(10_250, 8000)).toEqual({ number: 2, leftMs: 500 });
    expect(slotAt(10_749, 8000)).toEqual({ number: 2, leftMs: 1 });
    expect(slotAt(10_750, 8000)).toEqual({ number: 2, leftMs: 0 });
    expect(slotAt(7000, 8000)).toEqual({ number: 0, leftMs: 0 });
  });

  it('have enough successes with three of different slots in five seconds', () => {
    const successes = new SlotSuccesses();
    for (const [slot, ok] of [
      [1, true],
      [1, true],
      [2, false],
      [3, true],
    ] as const) {
      successes.hear(slot, ok, slot * 1000);
    }
    expect(successes.areEnough(3000)).toBe(false);
    successes.hear(6, true, 6000);
    expect(successes.areEnough(6000)).toBe(true);
    expect(successes.areEnough(6001)).toBe(false);
  });

  it('know the members by a hash of the sorted list', () => {
    expect(hashMembers(['a', 'b'])).toMatch(/^[0-9a-f]{16}$/);
    expect(hashMembers(['a', 'b'])).not.toBe(hashMembers(['a', 'c']));
    expect(hashMembers([])).toBe('');
  });
});
