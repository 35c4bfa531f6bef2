/** What becomes of requests that may be parked: stored and answered, or refused as ever, and nothing held in the end. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OutboundSpec } from '../../../proto/policy/schema.ts';
import { ParkingMemory, ParkResult } from '../../../sidecar/exchange/parker.ts';
import { ErrorCode } from '../../../sidecar/http2/constants.ts';
import { ResetCause } from '../../../sidecar/http2/stream.ts';
import { type FakeStream, nothingLeft, RetryRig } from './retry-rig.ts';

const idempotent = { httpMethods: ['POST'], grpcMethods: [{ service: 'echo.Echo', method: 'Say' }] } satisfies object;

function rigOf(parking: Partial<OutboundSpec['parking'] & object> = {}, more: OutboundSpec = {}): RetryRig {
  return new RetryRig({
    parking: { idempotent: { httpMethods: ['POST'], grpcMethods: idempotent.grpcMethods }, ...parking },
    ...more,
  });
}

const parkings = (rig: RetryRig, result: keyof typeof ParkResult): number => rig.traffic.parking[ParkResult[result]]!;
const seen = ({ heads, content, ended }: FakeStream) => ({ status: heads.at(-1)?.status, content, ended });

describe('Parking', () => {
  it('stores a request that nobody can take, and tells its caller only then', () => {
    const rig = rigOf({ answer: { http: { location: '/jobs/{reference}' } } });
    rig.unreachable.add('*');
    const down = rig.post('pay 5');
    expect(down.heads).toEqual([]);
    expect(rig.parker.stored).toEqual([
      {
        body: 'pay 5',
        messagesMax: 100_000,
        request: {
          reference: 'ref-1',
          target: 'default/b',
          reason: 'upstream_connect',
          isGrpc: false,
          httpVersion: 2,
          method: 'POST',
          scheme: 'http',
          authority: 'b',
          path: '/',
          headers: [['idempotency-key', 'ref-1']],
          deliveriesMax: 8,
          backoffBaseMs: 1000,
          backoffMaxMs: 300_000,
          ageMaxMs: 86_400_000,
        },
      },
    ]);
    rig.parker.answer(ParkResult.parked);
    expect(seen(down)).toEqual({ status: 202, content: '{"reference":"ref-1"}\n', ended: true });
    expect([down.heads[0]?.get('weir-parked'), down.heads[0]?.get('location')]).toEqual(['ref-1', '/jobs/ref-1']);
    expect([parkings(rig, 'parked'), rig.traffic.failure, rig.parker.memory.heldBytes]).toEqual([1, 1, 0]);
    expect(rig.leftovers).toEqual(nothingLeft);
  });

  it('answers calls of gRPC with the status of the policy, and the reference behind it', () => {
    const rig = rigOf({ headers: ['X-Tenant'] });
    const down = rig.call([
      ['x-tenant', 'gold'],
      ['authorization', 'secret'],
      ['idempotency-key', 'mine'],
    ]);
    rig.last.grpc(14);
    rig.parker.answer(ParkResult.parked);
    const head = down.heads[0];
    expect([head?.grpcStatus, head?.get('weir-parked')]).toEqual(['10', 'ref-1']);
    expect(rig.parker.stored[0]).toMatchObject({
      body: 'message',
      request: {
        reference: 'ref-1',
        reason: 'grpc 14',
        headers: [
          ['content-type', 'application/grpc'],
          ['x-tenant', 'gold'],
          ['idempotency-key', 'mine'],
        ],
      },
    });
  });

  it('sends the key with every attempt, and parks after the last one failed', () => {
    const rig = rigOf({}, { retries: { nonIdempotent: true, backoff: { base: '1ms', max: '1ms' } } });
    rig.post('x');
    rig.last.answer(503);
    rig.pass(10);
    expect(rig.attempts.map(({ head }) => head.get('idempotency-key'))).toEqual(['ref-1', 'ref-1']);
    expect(rig.parker.stored).toEqual([]);
    rig.last.answer(503);
    expect(rig.parker.stored.map(({ request }) => request.reason)).toEqual(['http 503']);
  });

  it('parks what an open breaker refuses, once its content is here', () => {
    const rig = rigOf(
      { on: ['breakerOpen'] },
      { circuitBreaker: { consecutiveFailures: 1, openFor: '1m', openForMax: '1m' } },
    );
    rig.post('x');
    rig.last.answer(500);
    expect(rig.parker.stored).toEqual([]);
    const down = rig.post('first ', false);
    expect([rig.parker.stored.length, down.heads.length]).toEqual([0, 0]);
    rig.more(down, 'second', true);
    expect(rig.parker.stored.map(({ body, request }) => [body, request.reason])).toEqual([
      ['first second', 'breaker_open'],
    ]);
  });

  it('refuses with the first reason when it is not confirmed, and says what the service said', () => {
    const rig = rigOf();
    const failed = rig.post('x');
    rig.last.answer(503, [['x-a', 'b']]);
    rig.parker.answer(ParkResult.full);
    expect([failed.status, failed.heads[0]?.get('x-a'), failed.heads[0]?.get('content-length')]).toEqual([
      503,
      'b',
      '0',
    ]);
    rig.unreachable.add('*');
    const refused = rig.post('x');
    rig.parker.answer(ParkResult.unconfirmed);
    expect([refused.status, refused.heads[0]?.get('weir-reason')]).toEqual([503, 'upstream_connect']);
    expect([parkings(rig, 'full'), parkings(rig, 'unconfirmed')]).toEqual([1, 1]);
    expect(rig.leftovers).toEqual(nothingLeft);
  });

  it('does not park what is too long, has no memory or nowhere to go, and counts each', () => {
    const rig = rigOf({ bodyMax: '256B' });
    rig.unreachable.add('*');
    rig.post('x'.repeat(257));
    rig.parker.memory = new ParkingMemory(3);
    rig.post('four');
    rig.parker.isReachable = false;
    rig.post('one');
    expect(rig.parker.stored).toEqual([]);
    expect([parkings(rig, 'tooLong'), parkings(rig, 'noMemory'), parkings(rig, 'unreachable')]).toEqual([1, 1, 1]);
    expect(rig.traffic.rejected.reduce((sum, count) => sum + count, 0)).toBe(3);
    expect(rig.parker.memory.heldBytes).toBe(0);
  });

  it('keeps nothing of methods that are not listed, nor once there is an answer', () => {
    const rig = rigOf();
    rig.get();
    expect(rig.last.head.get('idempotency-key')).toBeUndefined();
    rig.post('x');
    expect(rig.parker.memory.heldBytes).toBe(1);
    rig.last.answer(400);
    expect([rig.parker.memory.heldBytes, rig.parker.stored.length]).toEqual([0, 0]);
  });

  it('parks at a deadline only where the policy says so', () => {
    for (const [on, expected] of [
      [['failed'], 0],
      [['timeout'], 1],
    ] as const) {
      const rig = rigOf({ on: [...on] }, { timeout: '100ms' });
      rig.post('x');
      rig.pass(200);
      expect(rig.parker.stored.length).toBe(expected);
    }
  });

  it('gives up on content that does not come', () => {
    const rig = rigOf();
    rig.unreachable.add('*');
    const down = rig.post('x', false);
    rig.pass(6000);
    expect([down.status, parkings(rig, 'notWhole'), rig.parker.memory.heldBytes]).toEqual([503, 1, 0]);
    expect(rig.leftovers).toEqual(nothingLeft);
  });

  it('parks nothing in shadow, and counts what it would have', () => {
    const rig = new RetryRig({ parking: { idempotent: { httpMethods: ['POST'] } } }, 'shadow');
    rig.unreachable.add('*');
    expect([rig.post('x').status, parkings(rig, 'wouldPark'), rig.parker.stored.length]).toEqual([503, 1, 0]);
  });

  it('gives everything back whatever happens in whatever order', () => {
    const step = fc.constantFrom('more', 'end', 'fail', 'answer', 'stored', 'refused', 'leave', 'wait');
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), fc.boolean(), (steps, isDown) => {
        const rig = rigOf({ on: ['failed', 'timeout'] }, { timeout: '1s' });
        if (isDown) rig.unreachable.add('*');
        const down = rig.post('begin', false);
        let isEnded = false;
        for (const one of steps) {
          if (one === 'more' && !isEnded) rig.more(down, 'more', false);
          if (one === 'end' && !isEnded) {
            isEnded = true;
            rig.more(down, '', true);
          }
          const attempt = rig.attempts.at(-1);
          if (one === 'fail' && attempt && !attempt.isClosed) attempt.fail(ErrorCode.internalError, ResetCause.peer);
          if (one === 'answer' && attempt && !attempt.isClosed && !attempt.isAnswered) {
            attempt.isAnswered = true;
            attempt.answer(503);
          }
          if (one === 'stored') rig.parker.answer(ParkResult.parked);
          if (one === 'refused') rig.parker.answer(ParkResult.full);
          if (one === 'wait') rig.pass(700);
          if (one === 'leave' && !down.isClosed && !down.ended) {
            down.isClosed = true;
            isEnded = true;
            down.handler?.onReset(ErrorCode.cancel, ResetCause.peer);
          }
        }
        if (!down.isClosed) {
          if (!isEnded) rig.more(down, '', true);
          rig.pass(10_000);
          rig.parker.answer(ParkResult.parked);
          expect(down.ended).toBe(true);
        }
        expect(rig.parker.memory.heldBytes).toBe(0);
        expect(rig.leftovers).toEqual(nothingLeft);
        // Who is told "parked" is stored.
        if (down.status === 202) expect(rig.parker.stored.length).toBe(1);
      }),
      { numRuns: 300 },
    );
  });
});
