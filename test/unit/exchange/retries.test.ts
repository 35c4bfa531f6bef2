/** Retries between streams that the test plays, with time moved by hand. */
import { describe, expect, test } from 'vitest';
import { ErrorCode } from '../../../sidecar/http2/constants.ts';
import { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import { ResetCause } from '../../../sidecar/http2/stream.ts';
import { nothingLeft, RetryRig } from './retry-rig.ts';

const plain = { retries: {} };

describe('A retry', () => {
  test('goes to another endpoint after the backoff, says which attempt it is, and its answer is the caller’s', () => {
    const rig = new RetryRig(plain);
    const caller = rig.get();
    rig.last.answer(503);
    expect(caller.heads).toEqual([]);
    rig.pass(30);
    expect(rig.attempts).toHaveLength(2);
    const [first, second] = rig.attempts;
    expect(second?.address).not.toBe(first?.address);
    expect(first?.head.get('weir-attempt')).toBeUndefined();
    expect(second?.head.get('weir-attempt')).toBe('2');
    rig.last.answer(200);
    expect(caller.status).toBe(200);
    expect(rig.leftovers).toEqual(nothingLeft);
    expect(rig.traffic.success).toBe(1);
    expect(rig.traffic.requests).toBe(1);
    expect(rig.retries('retried')).toBe(1);
  });

  test('of gRPC repeats what it has sent and tells how many attempts came before', () => {
    const rig = new RetryRig(plain);
    const caller = rig.call();
    rig.last.grpc(14);
    rig.pass(30);
    expect(rig.last.content).toBe('message');
    expect(rig.last.ended).toBe(true);
    expect(rig.last.head.get('grpc-previous-rpc-attempts')).toBe('1');
    rig.last.grpc(0);
    expect(caller.heads.at(-1)?.grpcStatus).toBe('0');
    expect(rig.leftovers).toEqual(nothingLeft);
  });

  test('that fails as well leaves the caller the last answer', () => {
    const rig = new RetryRig(plain);
    const caller = rig.get();
    rig.last.answer(503);
    rig.pass(30);
    rig.last.answer(502);
    expect(caller.status).toBe(502);
    expect(rig.attempts).toHaveLength(2);
    expect(rig.retries('attemptsSpent')).toBe(1);
    expect(rig.traffic.failure).toBe(1);
    expect(rig.leftovers).toEqual(nothingLeft);
  });

  test('follows a failed connection for every call, with all of its content, also what came meanwhile', () => {
    const rig = new RetryRig(plain);
    rig.unreachable.add('*');
    const caller = rig.post('abc', false);
    expect(rig.dials).toHaveLength(1);
    rig.unreachable.clear();
    rig.more(caller, 'def', true);
    rig.pass(30);
    expect(rig.dials).toHaveLength(2);
    expect(rig.last.content).toBe('abcdef');
    rig.last.answer(201);
    expect(caller.status).toBe(201);
    expect(rig.leftovers).toEqual(nothingLeft);
  });

  test('is not made for a POST that somebody may have seen, unless the policy says so', () => {
    for (const [nonIdempotent, attempts] of [
      [false, 1],
      [true, 2],
    ] as const) {
      const rig = new RetryRig({ retries: { nonIdempotent } });
      const caller = rig.post('abc');
      rig.last.fail(ErrorCode.internalError, ResetCause.connection);
      rig.pass(30);
      expect(rig.attempts).toHaveLength(attempts);
      if (attempts === 1) expect(caller.status).toBe(502);
      else expect(rig.last.content).toBe('abc');
    }
  });

  test('is not made once too much was sent to send it again', () => {
    const rig = new RetryRig({ retries: { nonIdempotent: true } });
    const caller = rig.post('x'.repeat(16_385));
    rig.last.answer(503);
    rig.pass(300);
    expect(caller.status).toBe(503);
    expect(rig.retries('notReplayable')).toBe(1);
  });

  test('is not made once an answer has begun', () => {
    const rig = new RetryRig(plain);
    const caller = rig.get();
    rig.last.handler?.onHeaders(headOf(200), false);
    rig.last.fail(ErrorCode.internalError, ResetCause.connection);
    rig.pass(300);
    expect(rig.attempts).toHaveLength(1);
    expect(caller.resetCode).toBe(ErrorCode.internalError);
    expect(rig.leftovers).toEqual(nothingLeft);
  });

  test('is not made for what is a retry already, whoever tries again', () => {
    for (const field of [
      ['grpc-previous-rpc-attempts', '1'],
      ['weir-attempt', '2'],
    ] as const) {
      const rig = new RetryRig(plain);
      const caller = rig.call([field]);
      rig.last.grpc(14);
      rig.pass(300);
      expect(rig.attempts).toHaveLength(1);
      expect(caller.heads.at(-1)?.grpcStatus).toBe('14');
      expect(rig.retries('otherLayer')).toBe(1);
    }
  });

  test('waits as long as the service asks, and is not made when it asks for none or for longer than there is', () => {
    const rig = new RetryRig(plain);
    rig.call();
    rig.last.grpc(14, [['grpc-retry-pushback-ms', '500']]);
    rig.pass(499);
    expect(rig.attempts).toHaveLength(1);
    rig.pass(110);
    expect(rig.attempts).toHaveLength(2);
    rig.last.grpc(0);

    const refused = (pushback: string, fields: [string, string][] = []): string | undefined => {
      const caller = rig.call(fields);
      rig.last.grpc(14, [['grpc-retry-pushback-ms', pushback]]);
      return caller.heads.at(-1)?.grpcStatus;
    };
    expect(refused('-1')).toBe('14');
    expect(refused('soon')).toBe('14');
    expect(refused('10001')).toBe('14');
    expect(rig.retries('pushback')).toBe(3);
    expect(refused('500', [['grpc-timeout', '400m']])).toBe('14');
    expect(rig.retries('noTime')).toBe(1);

    const http = rig.get();
    rig.last.answer(503, [['retry-after', 'Wed, 21 Oct 2026 07:28:00 GMT']]);
    expect(http.status).toBe(503);
    expect(rig.leftovers).toEqual(nothingLeft);
  });

  test('goes to another endpoint at once when the sidecar of one has no room, for an attempt that does not count', () => {
    const rig = new RetryRig({ retries: { attemptsMax: 2 } });
    const full = [
      ['weir-reason', 'queue_shed'],
      ['grpc-retry-pushback-ms', '5000'],
    ] as const;
    const caller = rig.call();
    rig.last.grpc(8, full);
    rig.last.grpc(8, full);
    expect(rig.attempts).toHaveLength(3);
    expect(rig.attempts[1]!.address).not.toBe(rig.attempts[0]!.address);
    expect(rig.attempts[2]!.address).not.toBe(rig.attempts[1]!.address);
    // The second attempt that the policy allows is still to come.
    rig.last.grpc(14);
    rig.pass(300);
    expect(rig.attempts).toHaveLength(4);
    rig.last.grpc(0);
    expect(caller.heads.at(-1)?.grpcStatus).toBe('0');
    expect(rig.leftovers).toEqual(nothingLeft);
  });

  test('does not go to another endpoint twice more, nor when the service as a whole refuses, nor where refused is off', () => {
    const attemptsOf = (reason: string, retries: object = {}): number => {
      const rig = new RetryRig({ retries });
      rig.call();
      for (let i = 0; i < 5; i++) if (rig.attempts.length > i) rig.last.grpc(8, [['weir-reason', reason]]);
      rig.pass(1000);
      expect(rig.leftovers).toEqual(nothingLeft);
      return rig.attempts.length;
    };
    expect(attemptsOf('queue_full')).toBe(3);
    expect(attemptsOf('shed')).toBe(1);
    expect(attemptsOf('rate_limit')).toBe(1);
    expect(attemptsOf('queue_full', { retryOn: { refused: false } })).toBe(1);
    expect(attemptsOf('queue_full', { budget: { minConcurrent: 0 } })).toBe(1);
  });

  test('stops at the budget, and the answer as it came goes to the caller', () => {
    const rig = new RetryRig({ retries: { budget: { minConcurrent: 0 } } });
    const statuses: number[] = [];
    for (let i = 0; i < 100; i++) {
      const caller = rig.get();
      rig.last.answer(503);
      rig.pass(30);
      if (rig.last.isCancelled || caller.heads.length === 0) rig.last.answer(200);
      statuses.push(caller.status);
    }
    expect(statuses.filter((status) => status === 200)).toHaveLength(10);
    expect(statuses.filter((status) => status === 503)).toHaveLength(90);
    expect(rig.retries('retried')).toBe(10);
    expect(rig.retries('noBudget')).toBe(90);
    expect(rig.leftovers).toEqual(nothingLeft);
  });

  test('in shadow is decided and counted, and not made', () => {
    const rig = new RetryRig({ retries: {}, perTryTimeout: '100ms' }, 'shadow');
    const caller = rig.get();
    rig.pass(200);
    expect(caller.heads).toEqual([]);
    rig.last.answer(503);
    rig.pass(300);
    expect(caller.status).toBe(503);
    expect(rig.attempts).toHaveLength(1);
    expect(rig.retries('wouldRetry')).toBe(1);
    expect([...rig.traffic.wouldReject].reduce((sum, count) => sum + count, 0)).toBe(1);
    expect(rig.leftovers).toEqual(nothingLeft);
  });

  test('that waits is given up with its caller, its deadline, and leaves nothing behind', () => {
    const rig = new RetryRig({ retries: { backoff: { base: '10s', max: '10s' } } });
    const gone = rig.get();
    rig.last.answer(503);
    gone.handler?.onReset(ErrorCode.cancel, ResetCause.peer);
    expect(rig.leftovers).toEqual(nothingLeft);
    const late = new RetryRig({ timeout: '50ms', retries: { backoff: { base: '40ms', max: '40ms' } } });
    const caller = late.get();
    late.last.answer(503);
    late.pass(100);
    late.pass(100);
    if (caller.heads.length === 0) expect.unreachable('a deadline ends it');
    expect([503, 504]).toContain(caller.status);
    expect(late.leftovers).toEqual(nothingLeft);
  });

  test('counts every attempt at the breaker once, and none is made while it is open', () => {
    const rig = new RetryRig({ retries: { attemptsMax: 3 }, circuitBreaker: { consecutiveFailures: 2 } });
    const caller = rig.get();
    rig.last.answer(503);
    rig.pass(30);
    rig.last.answer(503);
    rig.pass(60);
    expect(rig.attempts).toHaveLength(2);
    expect(caller.status).toBe(503);
    expect(caller.heads.at(-1)?.get('weir-reason')).toBe('breaker_open');
    expect(rig.leftovers).toEqual(nothingLeft);
    // Open: callers' requests end here, and nothing piles up.
    for (let i = 0; i < 1000; i++) rig.get();
    expect(rig.attempts).toHaveLength(2);
    expect(rig.leftovers).toEqual(nothingLeft);
  });

  test('keeps its budget when a policy is swapped that changes other things', () => {
    const rig = new RetryRig({ retries: { budget: { minConcurrent: 1 } } });
    const before = rig.policy.outbound.retries?.budget;
    rig.apply({ retries: { attemptsMax: 3, budget: { minConcurrent: 1 } } });
    expect(rig.policy.outbound.retries?.budget).toBe(before);
    rig.apply({ retries: { budget: { minConcurrent: 2 } } });
    expect(rig.policy.outbound.retries?.budget).not.toBe(before);
  });
});

describe('The time of one attempt', () => {
  test('cancels it and makes another; without retries the caller gets 504', () => {
    const rig = new RetryRig({ perTryTimeout: '100ms', retries: {} });
    const caller = rig.get();
    rig.pass(140);
    expect(rig.attempts[0]?.isCancelled).toBe(true);
    expect(rig.attempts).toHaveLength(2);
    rig.last.answer(200);
    expect(caller.status).toBe(200);
    expect(rig.leftovers).toEqual(nothingLeft);
    const alone = new RetryRig({ perTryTimeout: '100ms' });
    const other = alone.get();
    alone.pass(110);
    expect(other.status).toBe(504);
    expect(other.heads.at(-1)?.get('weir-reason')).toBe('try_timeout');
    expect(alone.traffic.failure).toBe(1);
    expect(alone.leftovers).toEqual(nothingLeft);
  });

  test('ends with the head of its answer: a long answer is no late one', () => {
    const rig = new RetryRig({ perTryTimeout: '100ms' });
    const caller = rig.get();
    rig.last.handler?.onHeaders(headOf(200), false);
    rig.pass(1000);
    rig.last.handler?.onData(Buffer.from('x'), 0, 1, true);
    expect(caller.ended).toBe(true);
    expect(caller.resetCode).toBe(-1);
  });
});

function headOf(status: number) {
  return HeaderList.of([[':status', String(status)]]);
}
