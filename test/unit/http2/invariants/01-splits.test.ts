/**
 * Invariant 1: what a connection hears and says does not depend on how its input is split into reads.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HostileEnd, Manner } from '../../../support/model/hostile-end.ts';
import { greetingTo, hostileFrames } from '../../../support/model/hostile-frames.ts';
import type { Cut } from '../../../support/model/model-end.ts';

/** All that can be told from outside. DATA may come in more parts and credit in fewer updates, so sums stand for them. */
function hearing(manner: number, bytes: Buffer, cut: Cut): unknown {
  const hostile = new HostileEnd(manner);
  const calls: string[] = [];
  const frames: string[] = [];
  let updates = 0;
  hostile.trace = (call) => {
    if (call !== 'data' || calls[calls.length - 1] !== 'data') calls.push(call);
  };
  hostile.end.audit.onFrame = ({ type, flags, streamId, payload }, isOut) => {
    if (!isOut || type === 0) return;
    if (type === 8) updates += payload.readUInt32BE(0);
    else frames.push(`${type} ${flags} ${streamId} ${payload.toString('hex')}`);
  };
  hostile.end.arrive(bytes, cut);
  hostile.end.turn();
  const { fatal, audit, connection } = hostile.end;
  // Credit goes back in parts worth a frame; an end comes between two of them.
  const credit = fatal === null ? updates : null;
  return { calls, frames, credit, fatal, dataOut: audit.dataOut, held: connection.receivedUndrainedBytes };
}

/**
 * Every piece of DATA is echoed in a frame of its own, nine bytes longer. More pieces than this and the frames alone fill
 * the output, which a connection does notice: what comes then waits.
 */
const piecesMax = 4000;

test('the same bytes mean the same, whole or in pieces', () => {
  fc.assert(
    fc.property(
      hostileFrames,
      fc.constantFrom(0, Manner.isClient, Manner.isMute, Manner.isMute | Manner.isClient),
      fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1 }),
      (frames, manner, sizes) => {
        const bytes = Buffer.concat([greetingTo((manner & Manner.isClient) === 0), ...frames]);
        const once = hearing(manner, bytes, (left) => left);
        const smallest = Math.ceil(bytes.length / piecesMax);
        let at = 0;
        expect(hearing(manner, bytes, () => Math.max(smallest, sizes[at++ % sizes.length]!))).toEqual(once);
        expect(hearing(manner, bytes, () => smallest)).toEqual(once);
      },
    ),
    { numRuns: 75 },
  );
});
