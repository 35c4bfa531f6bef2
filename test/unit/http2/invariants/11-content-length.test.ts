/**
 * Invariant 11: content-length is the sum of DATA, or the message has no end: with padding, in any pieces, closed by DATA
 * or by trailers, in both roles. What goes out is held to the same by EndAudit.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Flag, FrameType } from '../../../../sidecar/http2/constants.ts';
import { HeaderList } from '../../../../sidecar/http2/hpack/field.ts';
import { greetingTo } from '../../../support/model/hostile-frames.ts';
import { ModelEnd } from '../../../support/model/model-end.ts';
import { frame, Recorder } from '../../../support/wire.ts';
import { PeerEncoder } from '../hpack-peer.ts';

const message = fc.record({
  isRequest: fc.boolean(),
  pieces: fc.array(fc.record({ bytes: fc.nat(50), padding: fc.option(fc.nat(20), { nil: -1 }) }), { maxLength: 8 }),
  /** How far the announcement is off. */
  off: fc.oneof(fc.constant(0), fc.integer({ min: -20, max: 20 })),
  end: fc.constantFrom('data', 'trailers', 'headers'),
});
const post = HeaderList.of([
  [':method', 'POST'],
  [':scheme', 'http'],
  [':authority', 'a'],
  [':path', '/'],
]);

test('a message ends in order only if its content is as long as it said', () => {
  fc.assert(
    fc.property(message, ({ isRequest, pieces, off, end }) => {
      const recorder = new Recorder();
      const target = new ModelEnd(isRequest, (stream, list, endStream) => {
        stream.handler = recorder;
        recorder.onHeaders(list, endStream);
      });
      target.arrive(greetingTo(isRequest));
      if (!isRequest) target.connection.request(post, true, recorder);
      const sum = end === 'headers' ? 0 : pieces.reduce((bytes, piece) => bytes + piece.bytes, 0);
      const announced = Math.max(0, sum + off);
      const peer = new PeerEncoder();
      const head = isRequest
        ? post.fields.map(({ name, value }) => [name, value] as const)
        : [[':status', '200'] as const];
      const flags = end === 'headers' ? Flag.endHeaders | Flag.endStream : Flag.endHeaders;
      const block = peer.encode([...head, ['content-length', String(announced)]]);
      target.arrive(frame(FrameType.headers, flags, 1, block));
      if (end !== 'headers') {
        for (const { bytes, padding } of pieces) {
          const isPadded = padding >= 0;
          const payload = Buffer.alloc((isPadded ? 1 + padding : 0) + bytes);
          if (isPadded) payload[0] = padding;
          target.arrive(frame(FrameType.data, isPadded ? Flag.padded : 0, 1, payload));
        }
        if (end === 'data') target.arrive(frame(FrameType.data, Flag.endStream, 1));
        else target.arrive(frame(FrameType.headers, 5, 1, peer.encode([['x-end', '1']])));
      }
      target.turn();
      expect(target.fatal).toBeNull();
      const isRight = announced === sum;
      expect(recorder.ended).toBe(isRight ? 1 : 0);
      if (isRight) expect(recorder.content.length).toBe(sum);
      else if (!isRequest || end !== 'headers') expect(recorder.reset?.code).toBe(1);
    }),
    { numRuns: 150 },
  );
});
