/**
 * The HTTP/2 engine as a conversation: frames in, frames and calls out, no sockets.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ErrorCode, Flag, FrameType, prefaceBytes } from '../../../sidecar/http2/constants.ts';
import { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import { defaultLimits } from '../../../sidecar/http2/limits.ts';
import { ResetCause } from '../../../sidecar/http2/stream.ts';
import { frame, framesOf, Peer, Recorder, type SeenFrame, settle } from '../../support/wire.ts';

const get = HeaderList.of([
  [':method', 'GET'],
  [':scheme', 'http'],
  [':authority', 'a'],
  [':path', '/'],
]);
const post = get.with({ set: [[':method', 'POST']] });
const ok = HeaderList.of([[':status', '200']]);
const trailers = HeaderList.of([['grpc-status', '0']]);
/** GET / by the static table only. */
const getBlock = '82868441' + '0161';
const settings = frame(FrameType.settings, 0, 0);

function pair(): { client: Peer; server: Peer } {
  const peers = { client: new Peer(false), server: new Peer(true) };
  settle(peers.client, peers.server);
  return peers;
}

/** A server that has seen the preface and the client's SETTINGS. */
function server(): Peer {
  const peer = new Peer(true);
  peer.receive(Buffer.concat([Buffer.from(prefaceBytes), settings]));
  peer.take();
  return peer;
}

function last(frames: readonly SeenFrame[]): SeenFrame {
  return frames[frames.length - 1]!;
}

function expectGoaway(peer: Peer, code: number): void {
  const goaway = last(framesOf(peer.take()));
  expect(goaway.type).toBe(FrameType.goaway);
  expect(goaway.payload.readUInt32BE(4)).toBe(code);
}

describe('Http2Connection', () => {
  test('carries a request and its answer with trailers', () => {
    const { client, server } = pair();
    const answer = new Recorder();
    const stream = client.connection.request(post, false, answer);
    stream.sendData(Buffer.from('hello'), 0, 5, true);
    settle(client, server);
    const request = server.requests[0]!;
    expect(request.head.path).toBe('/');
    expect(request.handler.content.toString()).toBe('hello');
    request.stream.sendHeaders(ok, false);
    request.stream.sendData(Buffer.from('world'), 0, 5, false);
    request.stream.sendTrailers(trailers);
    settle(client, server);
    expect(answer.heads[0]!.status).toBe(200);
    expect(answer.content.toString()).toBe('world');
    expect(answer.trailers!.grpcStatus).toBe('0');
    expect(client.connection.streamCount).toBe(0);
    expect(server.connection.streamCount).toBe(0);
  });

  test('passes informational heads before the final one', () => {
    const { client, server } = pair();
    const answer = new Recorder();
    client.connection.request(get, true, answer);
    settle(client, server);
    server.requests[0]!.stream.sendHeaders(HeaderList.of([[':status', '103']]), false);
    server.requests[0]!.stream.sendHeaders(ok, true);
    settle(client, server);
    expect(answer.heads.map((head) => head.status)).toEqual([103, 200]);
  });

  test('never sends beyond the window, and goes on with the credit that is given back', () => {
    const { client, server } = pair();
    const stream = client.connection.request(post, false, new Recorder());
    const body = Buffer.alloc(200_000, 7);
    stream.sendData(body, 0, body.length, true);
    settle(client, server);
    const { handler, stream: received } = server.requests[0]!;
    expect(handler.content.length).toBe(65_535);
    while (handler.owed > 0) {
      const owed = handler.owed;
      handler.owed = 0;
      received.credit(owed);
      settle(client, server);
    }
    expect(handler.content.equals(body)).toBe(true);
    expect(handler.ended).toBe(1);
  });

  test('lets other streams pass one whose reader gives no credit', () => {
    const { client, server } = pair();
    const stuck = client.connection.request(post, false, new Recorder());
    stuck.sendData(Buffer.alloc(100_000), 0, 100_000, true);
    const free = client.connection.request(post, false, new Recorder());
    free.sendData(Buffer.alloc(50_000), 0, 50_000, true);
    settle(client, server);
    expect(server.requests[0]!.handler.ended).toBe(0);
    expect(server.requests[1]!.handler.ended).toBe(1);
  });

  test('obeys a window that shrinks below what was sent, then grows again', () => {
    const { client, server } = pair();
    const stream = client.connection.request(post, false, new Recorder());
    stream.sendData(Buffer.alloc(60_000), 0, 60_000, false);
    settle(client, server);
    client.receive(frame(FrameType.settings, 0, 0, '000400000000'));
    expect(stream.sendWindow).toBe(5_535 - 65_535);
    stream.sendData(Buffer.alloc(10), 0, 10, true);
    expect(framesOf(client.take()).filter((seen) => seen.type === FrameType.data)).toEqual([]);
    client.receive(frame(FrameType.settings, 0, 0, '00040000ffff'));
    settle(client, server);
    expect(server.requests[0]!.handler.ended).toBe(1);
  });

  test('returns the credit of a stream that is reset while its data is held', () => {
    const { client, server } = pair();
    for (let i = 0; i < 100; i++) {
      const stream = client.connection.request(post, false, new Recorder());
      stream.sendData(Buffer.alloc(60_000), 0, 60_000, false);
      settle(client, server);
      server.requests[i]!.stream.reset(ErrorCode.cancel);
      settle(client, server);
      expect(server.connection.receivedUndrainedBytes).toBe(0);
    }
  });

  test('tells streams above the last one of a GOAWAY that nobody looked at them', () => {
    const { client, server } = pair();
    const [first, second] = [new Recorder(), new Recorder()];
    client.connection.request(get, true, first);
    client.connection.request(get, true, second);
    client.receive(frame(FrameType.goaway, 0, 0, '0000000100000000'));
    expect(second.reset).toEqual({ code: ErrorCode.refusedStream, cause: ResetCause.unprocessed });
    expect(first.reset).toBeNull();
    expect(client.connection.canOpenStream).toBe(false);
    settle(client, server);
    server.requests[0]!.stream.sendHeaders(ok, true);
    settle(client, server);
    expect(first.heads[0]!.status).toBe(200);
  });

  test('turns a truncated answer into a reset, never into an end', () => {
    const { client, server } = pair();
    const answer = new Recorder();
    client.connection.request(get, true, answer);
    settle(client, server);
    server.requests[0]!.stream.sendHeaders(ok, false);
    settle(client, server);
    client.connection.close();
    expect(answer.ended).toBe(0);
    expect(answer.reset!.cause).toBe(ResetCause.connection);
  });

  test('refuses streams beyond its limit without forgetting their header fields', () => {
    const client = new Peer(false);
    const server = new Peer(true, { ...defaultLimits, concurrentStreamsMax: 1 });
    settle(client, server);
    const refused = new Recorder();
    client.connection.request(get, false, new Recorder());
    client.connection.request(get.with({ set: [['user-agent', 'first seen when refused']] }), false, refused);
    settle(client, server);
    expect(server.requests.length).toBe(1);
    expect(refused.reset!.code).toBe(ErrorCode.refusedStream);
    // Sent as an index now: the server must have taken it into its table then.
    server.requests[0]!.stream.reset(ErrorCode.cancel);
    client.connection.request(get.with({ set: [['user-agent', 'first seen when refused']] }), true, new Recorder());
    settle(client, server);
    expect(server.requests[1]!.head.get('user-agent')).toBe('first seen when refused');
  });

  test('echoes a PING', () => {
    const peer = server();
    peer.receive(frame(FrameType.ping, 0, 0, '0102030405060708'));
    expect(last(framesOf(peer.take()))).toMatchObject({ type: FrameType.ping, flags: Flag.ack });
  });

  test.each([
    ['a frame longer than 16,384 bytes', Buffer.from('0040010000000000', 'hex'), ErrorCode.frameSizeError],
    ['DATA on stream 0', frame(FrameType.data, 0, 0, '00'), ErrorCode.protocolError],
    ['DATA on an idle stream', frame(FrameType.data, 0, 1, '00'), ErrorCode.protocolError],
    ['HEADERS on an even stream', frame(FrameType.headers, 5, 2, getBlock), ErrorCode.protocolError],
    ['an unknown index in a header block', frame(FrameType.headers, 5, 1, 'ff00'), ErrorCode.compressionError],
    ['padding longer than the frame', frame(FrameType.headers, 0xd, 1, `ff${getBlock}`), ErrorCode.protocolError],
    ['RST_STREAM on an idle stream', frame(FrameType.rstStream, 0, 1, '00000008'), ErrorCode.protocolError],
    ['a window above 2^31-1', frame(FrameType.windowUpdate, 0, 0, '7fffffff'), ErrorCode.flowControlError],
    ['a window update of nothing', frame(FrameType.windowUpdate, 0, 0, '00000000'), ErrorCode.protocolError],
    ['an initial window above 2^31-1', frame(FrameType.settings, 0, 0, '000480000000'), ErrorCode.flowControlError],
    ['a maximal frame size of 0', frame(FrameType.settings, 0, 0, '000500000000'), ErrorCode.protocolError],
    ['SETTINGS of 33 entries', frame(FrameType.settings, 0, 0, '000900000000'.repeat(33)), ErrorCode.enhanceYourCalm],
    ['PUSH_PROMISE', frame(FrameType.pushPromise, 4, 1, '00000002'), ErrorCode.protocolError],
    ['CONTINUATION without HEADERS', frame(FrameType.continuation, 4, 1, getBlock), ErrorCode.protocolError],
    [
      'a frame inside a header block',
      Buffer.concat([frame(FrameType.headers, 1, 1, '82'), frame(FrameType.ping, 0, 0, '0000000000000000')]),
      ErrorCode.protocolError,
    ],
    [
      'nine CONTINUATION frames',
      Buffer.concat([
        frame(FrameType.headers, 1, 1, '82'),
        ...Array.from({ length: 9 }, () => frame(FrameType.continuation, 0, 1)),
      ]),
      ErrorCode.enhanceYourCalm,
    ],
  ])('ends the connection on %s', (_name, bytes, code) => {
    const peer = server();
    peer.receive(bytes);
    peer.receive(frame(FrameType.headers, 5, 11, getBlock));
    expectGoaway(peer, code);
    // Nothing is heard after a fatal GOAWAY.
    expect(peer.requests).toEqual([]);
    expect(peer.take().length).toBe(0);
  });

  test('ends a connection whose peer lets a thousand control frames wait unread', () => {
    const peer = server();
    for (let i = 0; i < 1001; i++) peer.receive(frame(FrameType.ping, 0, 0, '0000000000000000'));
    expect(peer.fatal!.code).toBe(ErrorCode.enhanceYourCalm);
  });

  test.each([
    ['more content than announced', ['5c0131'], 'aabb', Flag.endStream],
    ['less content than announced', ['5c0135'], 'aabb', Flag.endStream],
  ])('resets a request with %s', (_name, fields, content, flags) => {
    const peer = server();
    peer.receive(frame(FrameType.headers, 4, 1, `838684${fields.join('')}410161`));
    peer.receive(frame(FrameType.data, flags, 1, content));
    expect(last(framesOf(peer.take()))).toMatchObject({ type: FrameType.rstStream, streamId: 1 });
    expect(peer.fatal).toBeNull();
  });
});

describe('Http2Connection, for any input', () => {
  const bodies = fc.array(fc.tuple(fc.nat(90_000), fc.boolean()), { minLength: 1, maxLength: 8 });

  test('delivers every stream whole and in order, however the bytes are split, and all credit comes back', () => {
    fc.assert(
      fc.property(bodies, fc.infiniteStream(fc.integer({ min: 1, max: 20_000 })), (sizes, cuts) => {
        const { client, server } = pair();
        const cut = (): number => cuts.next().value;
        const sent = sizes.map(([size, withTrailers], index) => {
          const body = Buffer.alloc(size, index + 1);
          const stream = client.connection.request(post, false, new Recorder());
          const middle = size >> 1;
          stream.sendData(body, 0, middle, false);
          stream.sendData(body, middle, size, !withTrailers);
          if (withTrailers) stream.sendTrailers(trailers);
          return body;
        });
        for (let round = 0; round < 100; round++) {
          settle(client, server, cut);
          const owing = server.requests.filter(({ handler }) => handler.owed > 0);
          if (owing.length === 0) break;
          for (const { handler, stream } of owing) {
            const owed = handler.owed;
            handler.owed = 0;
            stream.credit(owed);
          }
        }
        server.requests.forEach(({ handler }, index) => {
          expect(handler.content.equals(sent[index]!)).toBe(true);
          expect(handler.ended).toBe(1);
          expect(handler.trailers !== null).toBe(sizes[index]![1]);
        });
        expect(server.requests.length).toBe(sizes.length);
        expect(server.connection.receivedUndrainedBytes).toBe(0);
        expect(client.connection.outputQueuedBytes).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  test('neither throws nor grows on bytes that mean nothing', () => {
    const anyFrame = fc
      .tuple(fc.nat(12), fc.nat(255), fc.nat(9), fc.uint8Array({ maxLength: 60 }))
      .map(([type, flags, streamId, payload]) => frame(type, flags, streamId, Buffer.from(payload)));
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 40 }), fc.uint8Array({ maxLength: 200 }), (frames, tail) => {
        const peer = server();
        peer.receive(Buffer.concat([...frames, Buffer.from(tail)]), (left) => Math.min(left, 13));
        expect(peer.take().length).toBeLessThan(20_000);
        peer.connection.close();
        expect(peer.connection.streamCount).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});
