/**
 * Invariant 12: nothing after a fatal GOAWAY: no frame (EndAudit), no call on a handler but one reset for each stream
 * that was open (HostileEnd), whatever comes in and whatever the proxy still asks for.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FrameType } from '../../../../sidecar/http2/constants.ts';
import { HostileEnd, Manner } from '../../../support/model/hostile-end.ts';
import { greetingTo, hostileFrames } from '../../../support/model/hostile-frames.ts';
import { frame } from '../../../support/wire.ts';

/** Connection errors of several kinds (RFC 9113 §5.4.1). */
const poisons = [
  frame(FrameType.data, 0, 0, '00'),
  frame(FrameType.ping, 0, 0, '00'),
  frame(FrameType.headers, 5, 101, 'ff00'),
  frame(FrameType.windowUpdate, 0, 0, '00000000'),
  frame(FrameType.pushPromise, 4, 1, '00000002'),
  frame(FrameType.continuation, 4, 1, '82'),
  Buffer.from('ffffff000000000001', 'hex'),
];

test('a failed connection is silent', () => {
  fc.assert(
    fc.property(
      hostileFrames,
      fc.constantFrom(...poisons),
      hostileFrames,
      fc.nat(63),
      fc.boolean(),
      (before, poison, after, manner, together) => {
        const hostile = new HostileEnd(manner);
        const { end } = hostile;
        hostile.feed(greetingTo((manner & Manner.isClient) === 0));
        for (const one of before) hostile.feed(one);
        if (together) hostile.feed(Buffer.concat([poison, ...after]));
        else {
          hostile.feed(poison);
          const { calls } = hostile;
          for (const one of after) hostile.feed(one);
          expect(hostile.calls).toBe(calls);
        }
        expect(end.fatal).not.toBeNull();
        end.connection.onTick(1e9);
        end.connection.drain();
        end.unblock();
        while (end.turn());
        expect(end.audit.isFatal).toBe(true);
        expect(end.connection.canOpenStream).toBe(false);
        hostile.finish();
      },
    ),
    { numRuns: 100 },
  );
});
