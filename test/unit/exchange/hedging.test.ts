/** Hedges between streams that the test plays, with time moved by hand. */
import { describe, expect, test } from 'vitest';
import { ErrorCode } from '../../../sidecar/http2/constants.ts';
import { ResetCause } from '../../../sidecar/http2/stream.ts';
import { nothingLeft, RetryRig } from './retry-rig.ts';

const hedging = { hedging: { after: '50ms' } };

describe('A hedge', () => {
  test('is sent beside a slow attempt, elsewhere; the first answer wins and the loser is cancelled, no failure', () => {
    for (const winner of [0, 1]) {
      const rig = new RetryRig({ ...hedging, circuitBreaker: { consecutiveFailures: 1 } });
      const caller = rig.get();
      rig.pass(40);
      expect(rig.attempts).toHaveLength(1);
      rig.pass(20);
      expect(rig.attempts).toHaveLength(2);
      const [first, second] = rig.attempts;
      expect(second?.address).not.toBe(first?.address);
      rig.attempts[winner]?.answer(200);
      expect(caller.heads.map(({ status }) => status)).toEqual([200]);
      expect(rig.attempts[1 - winner]?.isCancelled).toBe(true);
      expect(rig.attempts[winner]?.isCancelled).toBe(false);
      expect(rig.leftovers).toEqual(nothingLeft);
      expect(rig.cluster.endpoints.map(({ failures }) => failures)).toEqual([0, 0, 0]);
      expect(rig.cluster.counts.drain()).toMatchObject({ n: 1, fail: 0, localFail: 0, shed: 0 });
      expect(rig.hedges('sent')).toBe(1);
      expect(rig.hedges('won')).toBe(winner);
      expect(rig.traffic.success).toBe(1);
    }
  });

  test('carries the content; without a word in the policy a POST gets none', () => {
    const rig = new RetryRig({ hedging: { after: '50ms', nonIdempotent: true } });
    const caller = rig.call();
    rig.pass(60);
    expect(rig.attempts.map(({ content, ended }) => [content, ended])).toEqual([
      ['message', true],
      ['message', true],
    ]);
    rig.last.grpc(0);
    expect(caller.heads.at(-1)?.grpcStatus).toBe('0');
    expect(rig.leftovers).toEqual(nothingLeft);
    const other = new RetryRig(hedging);
    other.call();
    other.post('abc');
    other.pass(100);
    expect(other.attempts).toHaveLength(2);
  });

  test('waits for nobody: an attempt that fails leaves the request to the other', () => {
    const rig = new RetryRig(hedging);
    const caller = rig.get();
    rig.pass(60);
    rig.attempts[0]?.fail(ErrorCode.internalError, ResetCause.connection);
    expect(caller.heads).toEqual([]);
    rig.attempts[1]?.answer(200);
    expect(caller.status).toBe(200);
    expect(rig.leftovers).toEqual(nothingLeft);
  });

  test('has its time of one attempt, and the last one to end is answered for', () => {
    const rig = new RetryRig({ ...hedging, perTryTimeout: '100ms' });
    const caller = rig.get();
    rig.pass(110);
    expect(rig.attempts.map(({ isCancelled }) => isCancelled)).toEqual([true, false]);
    expect(caller.heads).toEqual([]);
    rig.pass(60);
    expect(caller.status).toBe(504);
    expect(rig.leftovers).toEqual(nothingLeft);
  });

  test('takes from the budget of retries', () => {
    const rig = new RetryRig({ ...hedging, retries: { budget: { percent: 1, minConcurrent: 1 } } });
    rig.get();
    rig.get();
    rig.pass(60);
    expect(rig.attempts).toHaveLength(3);
    expect(rig.hedges('noBudget')).toBe(1);
  });

  test('is not sent for a while after the service pushed back', () => {
    const rig = new RetryRig(hedging);
    rig.get();
    rig.last.answer(503, [['retry-after', '2']]);
    rig.get();
    rig.pass(100);
    expect(rig.attempts).toHaveLength(2);
    expect(rig.hedges('suppressed')).toBe(1);
    rig.pass(2000);
    rig.get();
    rig.pass(100);
    expect(rig.attempts).toHaveLength(4);
  });

  test('in shadow is counted and not sent', () => {
    const rig = new RetryRig(hedging, 'shadow');
    rig.get();
    rig.pass(100);
    expect(rig.attempts).toHaveLength(1);
    expect(rig.hedges('wouldSend')).toBe(1);
  });

  test('is cancelled with its caller', () => {
    const rig = new RetryRig(hedging);
    const caller = rig.get();
    rig.pass(60);
    caller.handler?.onReset(ErrorCode.cancel, ResetCause.peer);
    expect(rig.attempts.every(({ isCancelled }) => isCancelled)).toBe(true);
    expect(rig.leftovers).toEqual(nothingLeft);
  });
});
