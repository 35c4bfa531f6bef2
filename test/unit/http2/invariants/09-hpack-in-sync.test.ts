/**
 * Invariant 9: the table of a connection stays in sync whatever becomes of the streams that fed it: refused, reset by
 * either side, too large, malformed, late for a stream that is gone. The peer puts everything into its table, so one
 * block that was skipped makes every later one wrong.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FrameType } from '../../../../sidecar/http2/constants.ts';
import { HeaderList } from '../../../../sidecar/http2/hpack/field.ts';
import { defaultLimits } from '../../../../sidecar/http2/limits.ts';
import type { Http2Stream } from '../../../../sidecar/http2/stream.ts';
import { greetingTo } from '../../../support/model/hostile-frames.ts';
import { ModelEnd } from '../../../support/model/model-end.ts';
import { frame, Recorder } from '../../../support/wire.ts';
import { type Pair, PeerEncoder } from '../hpack-peer.ts';

const limits = { ...defaultLimits, concurrentStreamsMax: 2, headerListBytesMax: 4096 };
const ok = HeaderList.of([[':status', '200']]);

const fates = fc.array(
  fc.constantFrom(
    'good',
    'malformed',
    'oversized',
    'refused',
    'resetByUs',
    'resetByThem',
    'lateTrailers',
    'badTrailers',
  ),
  { minLength: 1, maxLength: 40, size: 'max' },
);

test('fields that first came on a stream that was refused, reset, too large or malformed are known afterwards', () => {
  fc.assert(
    fc.property(fates, (all) => {
      const heads: HeaderList[] = [];
      const streams: Http2Stream[] = [];
      const server = new ModelEnd(
        true,
        (stream, head) => {
          stream.handler = new Recorder();
          heads.push(head);
          streams.push(stream);
        },
        limits,
      );
      const peer = new PeerEncoder([]);
      server.arrive(greetingTo(true));
      let id = -1;
      let known: Pair[] = [];
      const request = (fields: readonly Pair[]): Pair[] => [
        [':method', 'POST'],
        [':scheme', 'http'],
        [':path', '/'],
        [':authority', 'a'],
        ...fields,
      ];
      const send = (streamId: number, pairs: readonly Pair[], flags: number): void => {
        const block = peer.encode(pairs);
        // In two frames where there is enough of it.
        const cut = block.length > 40 ? 30 : block.length;
        const isWhole = cut === block.length;
        server.arrive(frame(FrameType.headers, flags | (isWhole ? 4 : 0), streamId, block.subarray(0, cut)));
        if (!isWhole) server.arrive(frame(FrameType.continuation, 4, streamId, block.subarray(cut)));
      };
      for (const [at, fate] of all.entries()) {
        id += 2;
        const fields: Pair[] = [[`x-${at}`, `value ${at}`]];
        if (fate === 'malformed') send(id, request([...fields, ['Upper', 'case']]), 0);
        else if (fate === 'oversized') send(id, request([...fields, ['x-long', 'l'.repeat(6000)]]), 0);
        else send(id, request(fields), 0);
        const stream = streams[streams.length - 1];
        const isNew = stream?.id === id;
        if (fate === 'resetByUs' && isNew) stream.reset(8);
        if (fate === 'lateTrailers' && isNew) {
          stream.reset(8);
          fields.push([`x-late-${at}`, 'late']);
          send(id, [[`x-late-${at}`, 'late']], 1);
        }
        if (fate === 'badTrailers' && isNew) {
          fields.push([`x-bad-${at}`, 'bad']);
          send(
            id,
            [
              [`x-bad-${at}`, 'bad'],
              [':path', '/'],
            ],
            1,
          );
        }
        if (fate === 'resetByThem') server.arrive(frame(FrameType.rstStream, 0, id, '00000008'));
        // Some fates leave a stream open, so that later ones are refused.
        server.turn();
        known = [...fields, ...known].slice(0, 6);
        if (at % 5 === 4) for (const open of streams) open.reset(8);
        if (server.fatal !== null) break;
      }
      expect(server.fatal).toBeNull();
      for (const open of streams) open.reset(8);
      id += 2;
      send(id, request(known), 1);
      const last = heads[heads.length - 1]!;
      expect(last.fields.map((field) => [field.name, field.value])).toEqual(request(known));
      streams[streams.length - 1]!.sendHeaders(ok, true);
      // The audit decodes what the server says with a table of its own.
      server.turn();
    }),
    { numRuns: 75 },
  );
});
