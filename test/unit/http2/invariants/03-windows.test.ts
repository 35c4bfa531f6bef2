/**
 * Invariant 3: never above min(stream, connection) window, under any change of SETTINGS. The peer is made of raw frames,
 * since it announces what no engine of ours would; EndAudit throws at the first byte too many.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ErrorCode, FrameType } from '../../../../sidecar/http2/constants.ts';
import { HeaderList } from '../../../../sidecar/http2/hpack/field.ts';
import type { Http2Stream } from '../../../../sidecar/http2/stream.ts';
import { contentOf } from '../../../support/model/content.ts';
import { MessageWitness } from '../../../support/model/message-witness.ts';
import { ModelEnd } from '../../../support/model/model-end.ts';
import { frame } from '../../../support/wire.ts';

const post = HeaderList.of([
  [':method', 'POST'],
  [':scheme', 'http'],
  [':authority', 'a'],
  [':path', '/'],
]);

const settings = (...entries: [id: number, value: number][]): Buffer => {
  const payload = Buffer.alloc(entries.length * 6);
  entries.forEach(([id, value], at) => {
    payload.writeUInt16BE(id, at * 6);
    payload.writeUInt32BE(value, at * 6 + 2);
  });
  return frame(FrameType.settings, 0, 0, payload);
};

const update = (streamId: number, increment: number): Buffer => {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(increment);
  return frame(FrameType.windowUpdate, 0, streamId, payload);
};

const windows = fc.oneof(fc.constantFrom(0, 1, 65_535, 0x7fff_ffff), fc.nat(300_000));
const moves = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant('send' as const), stream: fc.nat(3), bytes: fc.nat(100_000) }),
    fc.record({ do: fc.constant('window' as const), bytes: windows, frameBytes: fc.constantFrom(16_384, 0xffffff) }),
    fc.record({ do: fc.constant('credit' as const), stream: fc.nat(4), bytes: fc.integer({ min: 1, max: 50_000 }) }),
    fc.record({ do: fc.constantFrom('turn' as const, 'block' as const, 'unblock' as const) }),
  ),
  { maxLength: 60, size: 'max' },
);

test('DATA stays within both windows whatever the peer announces, and all of it comes once there is credit', () => {
  fc.assert(
    fc.property(moves, (all) => {
      const client = new ModelEnd(false);
      client.arrive(settings());
      const streams: Http2Stream[] = [];
      const witnesses = [0, 1, 2, 3].map((seed) => new MessageWitness(seed));
      const sent = [0, 0, 0, 0];
      for (const witness of witnesses) streams.push(client.connection.request(post, false, witness));
      let changes = 0;
      // The peer has a budget of updates (guard.ts).
      let credits = 0;
      for (const move of all) {
        if (move.do === 'send') {
          const from = sent[move.stream]!;
          sent[move.stream] = from + move.bytes;
          streams[move.stream]!.sendData(contentOf(1, from, from + move.bytes), 0, move.bytes, false);
        } else if (move.do === 'window' && ++changes < 40) {
          client.arrive(settings([4, move.bytes], [5, move.frameBytes]));
        } else if (move.do === 'credit' && ++credits <= 10)
          client.arrive(update(Math.max(0, move.stream * 2 - 1), move.bytes));
        else if (move.do === 'turn') client.turn();
        else if (move.do === 'block') client.block();
        else if (move.do === 'unblock') client.unblock();
      }
      client.unblock();
      client.arrive(settings([4, 10_000_000]));
      client.arrive(update(0, 10_000_000));
      while (client.turn());
      // A window may have overflowed on the way: that is the peer's fault and ends the connection, or a stream.
      if (client.audit.isFatal) expect(client.audit.fatalCode).toBe(ErrorCode.flowControlError);
      else if (witnesses.every(({ reset }) => reset === null))
        expect(client.audit.dataOut).toBe(sent.reduce((sum, bytes) => sum + bytes, 0));
    }),
    { numRuns: 100 },
  );
});
