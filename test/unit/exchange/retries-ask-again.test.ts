/**
 * A retry passes what its first attempt passed: breaker, the target's level, the client throttle; as one tier less. And it
 * is not made where the layer above retries already, which the trace tells.
 */
import { describe, expect, test } from 'vitest';
import { Tier, tierNames, userLevelCount } from '../../../proto/tiers.ts';
import { TraceId } from '../../../sidecar/exchange/traceparent.ts';
import { nothingLeft, RetryRig, type SeenAttempt } from './retry-rig.ts';

const plain = { retries: { budget: { percent: 100 } } };
const levels = { concurrency: { fixed: { limit: 1 } }, levels: {}, priorities: {} };
/** The level that refuses this tier and those behind it. */
const from = (tier: number): readonly [string, string] => ['weir-level', String(tier * userLevelCount)];
const tierIs = (tier: number): readonly [string, string] => ['weir-tier', tierNames[tier]!];

describe('A retry and the level of the target', () => {
  test('is not made where it would be refused, and the caller gets the answer of the service', () => {
    const rig = new RetryRig(plain, 'enforce', levels);
    const caller = rig.get();
    // Its own tier is taken in still, and that of its retry not.
    rig.last.answer(503, [from(Tier.low)]);
    expect(caller.status).toBe(503);
    expect(caller.heads.at(-1)?.get('weir-reason')).toBeUndefined();
    rig.pass(500);
    expect(rig.attempts).toHaveLength(1);
    expect([rig.retries('upstreamLevel'), rig.retries('retried')]).toEqual([1, 0]);
    expect(rig.leftovers).toEqual(nothingLeft);
  });

  test('is made where a tier less is taken in', () => {
    const rig = new RetryRig(plain, 'enforce', levels);
    const caller = rig.get();
    rig.last.answer(503, [from(Tier.batch)]);
    rig.pass(100);
    rig.last.answer(200);
    expect([caller.status, rig.attempts.length]).toEqual([200, 2]);
  });

  test('is asked about again after its wait', () => {
    const rig = new RetryRig(plain, 'enforce', levels);
    const caller = rig.get();
    rig.last.answer(503, [['retry-after', '2']]);
    rig.pass(1500);
    // In the meantime the service says how crowded it is.
    rig.get();
    rig.last.answer(200, [from(Tier.low)]);
    rig.pass(600);
    expect(rig.attempts).toHaveLength(2);
    expect(caller.status).toBe(503);
    expect(caller.heads.at(-1)?.get('weir-reason')).toBe('upstream_level');
    expect(rig.leftovers).toEqual(nothingLeft);
  });

  test('is no probe of the level, and stands for nobody else', () => {
    const rig = new RetryRig(plain, 'enforce', levels);
    rig.get();
    rig.last.answer(200, [from(Tier.low)]);
    for (let i = 0; i < 5; i++) rig.get([tierIs(Tier.low)]);
    // The first of them went as a probe.
    expect(rig.attempts).toHaveLength(2);
    rig.pass(60);
    rig.get();
    rig.last.answer(503, [from(Tier.low)]);
    rig.pass(500);
    expect([rig.attempts.length, rig.retries('upstreamLevel')]).toEqual([3, 1]);
  });

  test('is not held against hedges that nobody would take in', () => {
    const rig = new RetryRig({ hedging: { after: '10ms' } }, 'enforce', levels);
    rig.get();
    rig.last.answer(200, [from(Tier.low)]);
    rig.get();
    rig.pass(100);
    expect([rig.attempts.length, rig.hedges('suppressed'), rig.hedges('sent')]).toEqual([2, 1, 0]);
  });
});

describe('A retry and the client throttle', () => {
  const throttled = { ...plain, throttle: { requestsPerSecondMin: 1, window: '1s' } };

  /** A service that sheds everything of that tier. */
  function shedding(tier: number): RetryRig {
    const rig = new RetryRig(throttled, 'enforce', levels);
    for (let i = 0; i < 100; i++) {
      const made = rig.attempts.length;
      rig.get([tierIs(tier)]);
      if (rig.attempts.length > made) rig.last.answer(429);
    }
    return rig;
  }

  test('is refused as one of the tier less, and the caller gets the answer of the service', () => {
    const rig = shedding(Tier.low);
    for (let i = 0; i < 50; i++) {
      const made = rig.attempts.length;
      const caller = rig.get();
      rig.last.answer(503);
      rig.pass(4);
      if (rig.attempts.length === made + 1 && caller.status !== 0) {
        expect(caller.status).toBe(503);
        expect(caller.heads.at(-1)?.get('weir-reason')).toBeUndefined();
      }
    }
    rig.pass(500);
    // At most nine of ten.
    expect(rig.retries('clientThrottle')).toBeGreaterThan(35);
    expect(rig.retries('clientThrottle') + rig.retries('retried')).toBe(50);
  });

  test('is let pass where nothing of its tier is shed', () => {
    const rig = shedding(Tier.normal);
    for (let i = 0; i < 20; i++) {
      rig.get([tierIs(Tier.high - 1)]);
      rig.last.answer(503);
    }
    expect([rig.retries('retried'), rig.retries('clientThrottle')]).toEqual([20, 0]);
  });

  test('owes its end once, whatever becomes of it', () => {
    const rig = new RetryRig({ ...throttled, hedging: { after: '20ms' } }, 'enforce', levels);
    const { throttle } = rig.policy.outbound;
    if (throttle === null) throw new Error('there is no throttle');
    const [tryPass, record] = [throttle.tryPass.bind(throttle), throttle.record.bind(throttle)];
    const owed = new Map<number, number>();
    const add = (tier: number, count: number) => owed.set(tier, (owed.get(tier) ?? 0) + count);
    throttle.tryPass = (tier, random, nowMs) => {
      const passes = tryPass(tier, random, nowMs);
      if (passes) add(tier, 1);
      return passes;
    };
    throttle.record = (tier, wasShed, nowMs) => {
      add(tier, -1);
      record(tier, wasShed, nowMs);
    };
    const ends = [200, 503, 429, 503, 500, 0, 503, -1];
    const answered = new Set<SeenAttempt>();
    const answer = (status: number): void => {
      for (const attempt of rig.attempts) {
        if (answered.has(attempt) || attempt.isCancelled) continue;
        answered.add(attempt);
        attempt.answer(status);
      }
    };
    for (let i = 0; i < 200; i++) {
      const caller = rig.get([tierIs(i % 3)]);
      const end = ends[i % ends.length]!;
      if (end > 0) answer(end);
      rig.pass(4 * (i % 9));
      // Some callers leave while retries wait or hedges are under way; others get the answers of those.
      if (caller.status === 0 && (end < 0 || i % 5 === 0)) caller.handler?.onReset(8, 0);
      if (i % 3 === 0) answer(i % 2 === 0 ? 200 : 503);
    }
    for (let i = 0; i < 3; i++) {
      rig.pass(1000);
      answer(200);
    }
    expect(rig.leftovers).toEqual(nothingLeft);
    expect([...owed.values()].every((count) => count === 0)).toBe(true);
    expect(owed.size).toBeGreaterThan(2);
  });
});

describe('A retry below a retry', () => {
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

  function failOne(isRetry: boolean | null, nowMs = 1000): RetryRig {
    const rig = new RetryRig(plain);
    const id = new TraceId();
    id.read(traceparent);
    if (isRetry !== null) {
      rig.table.remember(id, { tier: 2, userLevel: 0, tenant: '', deadlineMs: 0, isRetry }, nowMs);
    }
    rig.get([['traceparent', traceparent]]);
    rig.last.answer(503);
    rig.pass(300);
    return rig;
  }

  test('is not made, which the trace that the app forwards tells', () => {
    const rig = failOne(true);
    expect([rig.attempts.length, rig.retries('otherLayer')]).toEqual([1, 1]);
    expect(rig.leftovers).toEqual(nothingLeft);
  });

  test('is made where the request was a first attempt, or is not known, or not any more', () => {
    expect(failOne(false).attempts).toHaveLength(2);
    expect(failOne(null).attempts).toHaveLength(2);
    expect(failOne(true, 1000 - 61_000).attempts).toHaveLength(2);
  });
});
