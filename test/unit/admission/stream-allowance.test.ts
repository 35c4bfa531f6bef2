/** How many streams callers may have open, from the room that the limits have; and what room that is. */
import { describe, expect, test } from 'vitest';
import { Admission } from '../../../sidecar/admission/admission.ts';
import { StreamAllowance, streamsFloor } from '../../../sidecar/admission/stream-allowance.ts';
import { LivePolicy } from '../../../sidecar/policy/swap.ts';
import { minimalPolicy } from '../policy/documents.ts';

const origin = { epoch: 'e', version: 1, hash: 'h' };
const queue = { waitMax: '1s', requestsMax: 20 };

function roomOf(spec: object): number {
  const policy = new LivePolicy('shop/app');
  policy.apply({ ...minimalPolicy.spec, ...spec }, origin, 0);
  return policy.room;
}

describe('StreamAllowance', () => {
  test('is the most of the last second, so that a dip takes nothing from anybody', () => {
    const allowance = new StreamAllowance(250);
    expect(allowance.streamsFor(100, 0)).toBe(100);
    for (let nowMs = 250; nowMs < 1000; nowMs += 250) expect(allowance.streamsFor(40, nowMs)).toBe(100);
    expect(allowance.streamsFor(40, 1000)).toBe(100);
    expect(allowance.streamsFor(120, 1250)).toBe(100);
    expect(allowance.streamsFor(40, 2000)).toBe(120);
    expect(allowance.streamsFor(40, 3000)).toBe(40);
  });

  test('lies between a floor and what the connection enforces', () => {
    const allowance = new StreamAllowance(250);
    expect(allowance.streamsFor(2.5, 0)).toBe(streamsFloor);
    expect(allowance.streamsFor(17.5, 1000)).toBe(18);
    expect(allowance.streamsFor(10_000, 2000)).toBe(250);
    expect(allowance.streamsFor(Number.POSITIVE_INFINITY, 3000)).toBe(250);
  });
});

describe('LivePolicy.room', () => {
  test('is that of the app, of the queue and of those who wait for their turn, over the service and its routes', () => {
    const concurrency = { fixed: { limit: 30 } };
    expect(roomOf({ inbound: { concurrency, queue } })).toBe(50);
    expect(roomOf({ inbound: { concurrency, queue: { discipline: 'none' } } })).toBe(30);
    const rateLimits = [{ name: 'a', rate: '5/s', algorithm: { leakyBucket: { requestsMax: 7 } } }];
    const route = { name: 'r', match: { method: 'GET' }, inbound: { concurrency: { fixed: { limit: 3 } }, queue } };
    expect(roomOf({ inbound: { concurrency, queue, rateLimits }, routes: [route] })).toBe(50 + 7 + 23);
  });

  test('has no bound where requests have no limit, or only in shadow', () => {
    const concurrency = { fixed: { limit: 30 } };
    expect(roomOf({})).toBe(Number.POSITIVE_INFINITY);
    expect(roomOf({ enforcement: 'shadow', inbound: { concurrency } })).toBe(Number.POSITIVE_INFINITY);
    const route = { name: 'r', match: { method: 'GET' }, inbound: { concurrency, queue } };
    expect(roomOf({ routes: [route] })).toBe(Number.POSITIVE_INFINITY);
  });
});

test('Admission.room counts the long streams that there are', () => {
  const admission = new Admission({ limit: 10, streamsMax: 100, queue: null });
  expect(admission.room).toBe(10);
  admission.enterStreams();
  expect(admission.room).toBe(11);
  admission.leaveStreams();
  expect(admission.room).toBe(10);
});
