/** What goes on with an attempt: the time that is left, and which attempt it is. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { headOfRetry, parseTimeoutHeader, roundTimeout, withTimeLeft } from '../../../sidecar/exchange/onward-head.ts';
import { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import { parseGrpcTimeoutMs } from '../../../sidecar/resilience/deadline.ts';
import { RetryRig } from './retry-rig.ts';

const call = (timeout?: string) =>
  HeaderList.of([
    [':method', 'POST'],
    [':path', '/a/b'],
    ['content-type', 'application/grpc'],
    ...(timeout === undefined ? [] : [['grpc-timeout', timeout] as const]),
  ]);
const get = (...fields: (readonly [string, string])[]) =>
  HeaderList.of([[':method', 'GET'], [':path', '/'], ...fields]);

describe('The time left', () => {
  test('is rounded to within 2.5 %', () => {
    expect([1000, 999.7, 990, 974, 7.42, 55.3, 0.4].map(roundTimeout)).toEqual([1000, 1000, 990, 975, 7.4, 55.5, 0.4]);
    fc.assert(
      fc.property(fc.double({ min: 1, max: 3.6e6, noNaN: true }), (ms) => {
        expect(Math.abs(roundTimeout(ms) - ms)).toBeLessThanOrEqual(ms * 0.0251);
      }),
    );
  });

  test('leaves a head as it is while it rounds to what was asked for', () => {
    for (const head of [call('1S'), call('1000m')]) expect(withTimeLeft(head, 999.2, '')).toBe(head);
    expect(withTimeLeft(get(), 500, '')).toMatchObject({ grpcTimeout: '' });
    const head = get(['x-timeout-ms', '2000']);
    expect(withTimeLeft(head, 1999, 'x-timeout-ms')).toBe(head);
  });

  test('shrinks grpc-timeout, or the field that the policy names, and makes each head once', () => {
    const head = call('1S');
    const shrunk = withTimeLeft(head, 941.3, '');
    expect(shrunk.grpcTimeout).toBe('940m');
    expect(withTimeLeft(head, 940.2, '')).toBe(shrunk);
    expect(withTimeLeft(call(), 250, '').grpcTimeout).toBe('250m');
    expect(withTimeLeft(call('10S'), 7.43, '').grpcTimeout).toBe('7450u');
    const web = get(['x-timeout-ms', '2000']);
    expect(withTimeLeft(web, 1503, 'x-timeout-ms').get('x-timeout-ms')).toBe('1500');
    expect(withTimeLeft(get(), 0.2, 'x-timeout-ms').get('x-timeout-ms')).toBe('1');
  });

  test('never becomes more than was asked for', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), fc.double({ min: 0, max: 1, noNaN: true }), (asked, share) => {
        const told = parseGrpcTimeoutMs(withTimeLeft(call(`${asked}m`), Math.max(1, asked * share), '').grpcTimeout);
        expect(told).toBeLessThanOrEqual(asked);
      }),
    );
  });

  test('is whole ms in the field, and nothing else', () => {
    expect(parseTimeoutHeader('1500')).toBe(1500);
    for (const odd of [undefined, '', '-1', '1.5', '1s', '9999999999']) expect(parseTimeoutHeader(odd)).toBeUndefined();
  });
});

describe('A retry’s head', () => {
  test('says which attempt it is, and is one tier less important', () => {
    const told = headOfRetry(
      HeaderList.of([
        [':method', 'POST'],
        ['content-type', 'application/grpc'],
        ['weir-tier', 'high'],
      ]),
      2,
    );
    expect(told.get('weir-attempt')).toBe('2');
    expect(told.get('grpc-previous-rpc-attempts')).toBe('1');
    expect(told.get('weir-tier')).toBe('normal');
    expect(headOfRetry(get(['weir-tier', 'background']), 3).get('weir-tier')).toBe('background');
    expect(headOfRetry(get(), 3).get('grpc-previous-rpc-attempts')).toBeUndefined();
  });
});

describe('A deadline', () => {
  test('is the least of grpc-timeout, the named field and the policy, and goes on with every attempt', () => {
    const rig = new RetryRig({ timeout: '2s', timeoutHeader: 'X-Timeout-Ms', retries: {} });
    rig.get();
    expect(rig.last.head.get('x-timeout-ms')).toBe('2000');
    const caller = rig.get([['x-timeout-ms', '300']]);
    expect(rig.last.head.get('x-timeout-ms')).toBe('300');
    rig.pass(100);
    rig.last.answer(503);
    rig.pass(30);
    expect(Number(rig.last.head.get('x-timeout-ms'))).toBeLessThanOrEqual(200);
    rig.pass(200);
    expect(caller.status).toBe(504);
    rig.call([['grpc-timeout', '5S']]);
    expect(rig.last.head.grpcTimeout).toBe('2000m');
  });

  test('of one attempt goes on with it', () => {
    const rig = new RetryRig({ timeout: '2s', perTryTimeout: '400ms' });
    rig.call();
    expect(rig.last.head.grpcTimeout).toBe('400m');
  });

  test('of a policy in shadow is counted and not kept; the caller’s own is kept', () => {
    const rig = new RetryRig({ timeout: '100ms' }, 'shadow');
    const caller = rig.get();
    rig.pass(200);
    rig.last.answer(200);
    expect(caller.status).toBe(200);
    expect([...rig.traffic.wouldReject].reduce((sum, count) => sum + count, 0)).toBe(1);
    const own = rig.call([['grpc-timeout', '50m']]);
    rig.pass(60);
    expect(own.heads.at(-1)?.grpcStatus).toBe('4');
  });
});
