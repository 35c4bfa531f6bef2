/**
 * Invariant 6: a blocked stream never stops another: not one whose reader reads nothing, not twenty of them, in neither
 * direction, on a single connection or through two proxies.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Traffic } from '../../../support/model/traffic.ts';

const sizes = fc.record({ requestBytes: fc.nat(300_000), responseBytes: fc.nat(300_000), trailers: fc.boolean() });

test('streams whose readers read finish, whatever others do; the others finish once they read', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 2 }),
      fc.array(fc.tuple(sizes, fc.boolean()), { minLength: 1, maxLength: 20 }),
      (relays, all) => {
        const traffic = new Traffic(relays);
        const calls = all.map(([plan, isReading]) => ({ isReading, call: traffic.begin(plan, isReading) }));
        traffic.settle();
        for (const { isReading, call } of calls) if (isReading) expect(call.isComplete).toBe(true);
        for (const { call } of calls) call.resume();
        traffic.settle();
        for (const { call } of calls) expect(call.isComplete).toBe(true);
        expect(traffic.leftovers).toEqual([]);
      },
    ),
    { numRuns: 30 },
  );
});

test('99 streams whose readers read nothing leave the hundredth its way, though they hold more than a window', () => {
  const traffic = new Traffic(2);
  const big = { requestBytes: 200_000, responseBytes: 200_000, trailers: true };
  const blocked = Array.from({ length: 99 }, () => traffic.begin(big, false));
  traffic.settle();
  const free = traffic.begin(big);
  traffic.settle();
  expect(free.isComplete).toBe(true);
  expect(blocked.filter((call) => call.isComplete).length).toBe(0);
  for (const call of blocked) call.resume();
  traffic.settle();
  expect(traffic.calls.filter((call) => !call.isComplete).length).toBe(0);
  expect(traffic.leftovers).toEqual([]);
});
