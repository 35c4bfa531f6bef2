/**
 * Invariants 10 and 13: on any bytes no throw, no hang, bounded memory, and bounded work for each byte; HostileEnd says
 * what that means in numbers. The fuzzer (test/fuzz) looks longer and deeper for the same.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HostileEnd, Manner } from '../../../support/model/hostile-end.ts';
import { greetingTo, hostileFrames } from '../../../support/model/hostile-frames.ts';

test('bytes that mean nothing cost no more than a connection', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }), fc.nat(63), (parts, manner) => {
      const hostile = new HostileEnd(manner);
      for (const part of parts) hostile.feed(Buffer.from(part));
      hostile.finish();
    }),
    { numRuns: 100 },
  );
});

test('frames that nearly mean something cost no more than what they are, in any manner of being answered', () => {
  fc.assert(
    fc.property(hostileFrames, fc.nat(63), (frames, manner) => {
      const hostile = new HostileEnd(manner);
      hostile.feed(greetingTo((manner & Manner.isClient) === 0));
      for (const one of frames) hostile.feed(one);
      hostile.finish();
    }),
    { numRuns: 200 },
  );
});

test('work grows with the bytes that came and with nothing else: 20 fields of one byte each, 20,000 times', () => {
  const hostile = new HostileEnd(Manner.isMute);
  hostile.feed(greetingTo(true));
  // `:method GET` again and again is a duplicate: a malformed request each time.
  const block = Buffer.alloc(20, 0x82);
  const head = Buffer.alloc(9);
  head[2] = block.length;
  head[3] = 1;
  head[4] = 5;
  for (let i = 0; i < 20_000 && hostile.end.fatal === null; i++) {
    head.writeUInt32BE(i * 2 + 1, 5);
    hostile.feed(Buffer.concat([head, block]));
  }
  // It never got that far: nobody sends that many by accident.
  expect(hostile.end.fatal?.code).toBe(11);
  expect(hostile.calls).toBe(0);
  hostile.finish();
});
