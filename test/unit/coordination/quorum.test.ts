/** The rule that opens a breaker for the fleet, case by case. */
import { describe, expect, it } from 'vitest';
import { findQuorum, quorumOf, type Vote } from '../../../control-plane/coordination/quorum.ts';

const vote = (n: number, fail: number): Vote => ({ caller: '', n, fail });
const times = (count: number, one: Vote): Vote[] => Array.from({ length: count }, () => one);

describe('findQuorum', () => {
  it('opens when 60 % of the callers and half of the requests fail', () => {
    const finding = findQuorum([...times(6, vote(10, 10)), ...times(4, vote(10, 0))]);
    expect(finding).toEqual({
      voters: 10,
      failingVoters: 6,
      quorum: 6,
      n: 100,
      fail: 60,
      weightedRatio: 0.6,
      open: true,
    });
  });

  it('stays closed one caller below the quorum', () => {
    expect(findQuorum([...times(5, vote(10, 10)), ...times(5, vote(10, 0))]).open).toBe(false);
  });

  it('counts silence as a no', () => {
    expect(findQuorum([...times(5, vote(10, 10)), ...times(5, vote(0, 0))]).open).toBe(false);
  });

  it('takes no failing vote from a caller with one request', () => {
    expect(findQuorum(times(10, vote(1, 1)))).toMatchObject({ failingVoters: 0, open: false });
    expect(findQuorum(times(10, vote(2, 2)))).toMatchObject({ failingVoters: 10, open: true });
  });

  it('asks for ten requests', () => {
    expect(findQuorum(times(3, vote(3, 3))).open).toBe(false);
    expect(findQuorum([...times(2, vote(3, 3)), vote(4, 4)]).open).toBe(true);
  });

  it('caps the weight of a busy caller at its share', () => {
    // Of all requests 91 % fail, but all of those are one caller's; three idle ones see nothing wrong.
    expect(findQuorum([vote(1000, 1000), vote(2, 2), vote(2, 2), ...times(2, vote(49, 0))])).toMatchObject({
      failingVoters: 3,
      quorum: 3,
      open: true,
    });
    expect(findQuorum([vote(100, 100), vote(2, 2), vote(2, 2), ...times(2, vote(98, 0))])).toMatchObject({
      failingVoters: 3,
      open: false,
    });
  });

  it('is off below three callers', () => {
    expect(findQuorum(times(2, vote(100, 100))).open).toBe(false);
  });

  it('needs max(2, ⌈0.6 m⌉) failing callers', () => {
    expect([3, 4, 5, 6, 10, 100].map(quorumOf)).toEqual([2, 3, 3, 4, 6, 60]);
  });
});
