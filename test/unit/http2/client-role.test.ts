/**
 * The engine as a client, against a server that bends the rules: the cases of h2spec turned around. What ends a stream
 * must never look like the end of an answer; what ends the connection must say why.
 */
import { describe, expect, test } from 'vitest';
import { ErrorCode, FrameType } from '../../../sidecar/http2/constants.ts';
import { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import { ResetCause } from '../../../sidecar/http2/stream.ts';
import { errorsOf, get, greetedClient, linesOf, post } from '../../support/playbook.ts';
import { frame, Peer, Recorder } from '../../support/wire.ts';

/** `:status: 200` and others of the static table; content-length: 5. */
const ok = '88';
const noContent = '89';
const notModified = '8b';
const length5 = '5c0135';
/** `:status: 100` as a literal. */
const continue100 = '0803313030';

function asked(list = get): { client: Peer; answer: Recorder } {
  const client = greetedClient();
  const answer = new Recorder();
  client.connection.request(list, true, answer);
  client.take();
  return { client, answer };
}

const headers = (block: string, flags = 0x4, streamId = 1): Buffer => frame(FrameType.headers, flags, streamId, block);
const data = (content: string, flags = 0, streamId = 1): Buffer => frame(FrameType.data, flags, streamId, content);
const end = 0x1;

describe('A server that breaks a stream', () => {
  test.each([
    ['sends DATA before the head', [data('00')]],
    ['sends a head without :status', [headers('5f0161')]],
    ['sends a request for a head', [headers('828684410161')]],
    ['sends :status 101', [headers('0803313031')]],
    ['sends :status twice', [headers('8888')]],
    ['sends a pseudo-header field after a regular one', [headers(`${length5}88`)]],
    ['sends an uppercase field name', [headers(`${ok}4001580161`)]],
    ['sends a connection-specific field', [headers(`${ok}400a636f6e6e656374696f6e05636c6f7365`)]],
    ['ends the stream with a 1xx head', [headers(continue100, 0x5)]],
    ['sends a second final head without ending the stream', [headers(ok), headers(ok)]],
    ['sends a pseudo-header field in trailers', [headers(ok), headers(ok, 0x5)]],
    ['ends with a head that announced content', [headers(ok + length5, 0x5)]],
    ['sends less content than announced', [headers(ok + length5), data('aabb', end)]],
    ['sends more content than announced', [headers(ok + length5), data('aabbccddeeff')]],
    ['sends trailers before all announced content', [headers(ok + length5), data('aa'), headers('5f0161', 0x5)]],
    ['makes the stream depend on itself', [frame(FrameType.headers, 0x24, 1, `0000000110${ok}`)]],
  ])('%s: the stream is reset, the answer never ends, the connection lives', (_name, frames) => {
    const { client, answer } = asked();
    client.receive(Buffer.concat(frames));
    expect(errorsOf(client)).toEqual(['RST 1 PROTOCOL_ERROR']);
    expect(answer.ended).toBe(0);
    expect(answer.reset).toEqual({ code: ErrorCode.protocolError, cause: ResetCause.protocol });
    expect(client.fatal).toBeNull();
    expect(client.connection.canOpenStream).toBe(true);
  });

  test('sends content in the answer to HEAD: reset', () => {
    const { client, answer } = asked(get.with({ set: [[':method', 'HEAD']] }));
    client.receive(Buffer.concat([headers(ok + length5), data('aa', end)]));
    expect(errorsOf(client)).toEqual(['RST 1 PROTOCOL_ERROR']);
    expect(answer.ended).toBe(0);
  });

  test('sends more than the stream window: FLOW_CONTROL_ERROR on that stream', () => {
    const { client, answer } = asked();
    client.receive(headers(ok));
    for (let i = 0; i < 5; i++) client.receive(frame(FrameType.data, 0, 1, Buffer.alloc(16_384)));
    expect(errorsOf(client)).toEqual(['RST 1 FLOW_CONTROL_ERROR']);
    expect(answer.reset!.code).toBe(ErrorCode.flowControlError);
  });
});

describe('A server that breaks the connection', () => {
  const id = (value: number): string => value.toString(16).padStart(8, '0');
  test.each([
    ['a frame of 16,385 bytes', frame(FrameType.data, 0, 1, Buffer.alloc(16_385)), 'FRAME_SIZE_ERROR'],
    ['DATA on stream 0', data('00', 0, 0), 'PROTOCOL_ERROR'],
    ['DATA on a stream that we never opened', data('00', 0, 3), 'PROTOCOL_ERROR'],
    ['HEADERS on a stream that we never opened', headers(ok, 0x4, 3), 'PROTOCOL_ERROR'],
    ['HEADERS on a stream of its own', headers(ok, 0x4, 2), 'PROTOCOL_ERROR'],
    ['HEADERS on stream 0', headers(ok, 0x4, 0), 'PROTOCOL_ERROR'],
    ['PUSH_PROMISE', frame(FrameType.pushPromise, 4, 1, `00000002${ok}`), 'PROTOCOL_ERROR'],
    ['RST_STREAM on an idle stream', frame(FrameType.rstStream, 0, 3, id(8)), 'PROTOCOL_ERROR'],
    ['RST_STREAM of 3 bytes', frame(FrameType.rstStream, 0, 1, '000000'), 'FRAME_SIZE_ERROR'],
    ['WINDOW_UPDATE on an idle stream', frame(FrameType.windowUpdate, 0, 3, id(1)), 'PROTOCOL_ERROR'],
    ['WINDOW_UPDATE of 0', frame(FrameType.windowUpdate, 0, 0, id(0)), 'PROTOCOL_ERROR'],
    ['a connection window past 2^31-1', frame(FrameType.windowUpdate, 0, 0, id(0x7fffffff)), 'FLOW_CONTROL_ERROR'],
    ['a PING of 7 bytes', frame(FrameType.ping, 0, 0, '00000000000000'), 'FRAME_SIZE_ERROR'],
    ['a PING on a stream', frame(FrameType.ping, 0, 1, '0000000000000000'), 'PROTOCOL_ERROR'],
    ['a GOAWAY on a stream', frame(FrameType.goaway, 0, 1, id(0) + id(0)), 'PROTOCOL_ERROR'],
    ['a GOAWAY of 7 bytes', frame(FrameType.goaway, 0, 0, '00000000000000'), 'FRAME_SIZE_ERROR'],
    ['SETTINGS on a stream', frame(FrameType.settings, 0, 1), 'PROTOCOL_ERROR'],
    ['SETTINGS of 5 bytes', frame(FrameType.settings, 0, 0, '0001000000'), 'FRAME_SIZE_ERROR'],
    ['a SETTINGS ack with content', frame(FrameType.settings, 1, 0, '000100000000'), 'FRAME_SIZE_ERROR'],
    ['a frame size of 16,383', frame(FrameType.settings, 0, 0, '000500003fff'), 'PROTOCOL_ERROR'],
    ['a frame size of 2^24', frame(FrameType.settings, 0, 0, '000501000000'), 'PROTOCOL_ERROR'],
    ['an initial window of 2^31', frame(FrameType.settings, 0, 0, '000480000000'), 'FLOW_CONTROL_ERROR'],
    ['ENABLE_CONNECT_PROTOCOL of 2', frame(FrameType.settings, 0, 0, '000800000002'), 'PROTOCOL_ERROR'],
    [
      'ENABLE_CONNECT_PROTOCOL taken back',
      frame(FrameType.settings, 0, 0, '000800000001000800000000'),
      'PROTOCOL_ERROR',
    ],
    ['CONTINUATION without HEADERS', frame(FrameType.continuation, 4, 1, ok), 'PROTOCOL_ERROR'],
    ['an index beyond the table', headers('ff00'), 'COMPRESSION_ERROR'],
    ['a table size above ours', headers(`3fe21f${ok}`), 'COMPRESSION_ERROR'],
    [
      'a frame between HEADERS and CONTINUATION',
      Buffer.concat([frame(FrameType.headers, 0, 1, ok), frame(FrameType.windowUpdate, 0, 0, id(1))]),
      'PROTOCOL_ERROR',
    ],
    ['padding as long as the frame', frame(FrameType.data, 8, 1, '01'), 'PROTOCOL_ERROR'],
  ])('with %s hears why, and the request fails', (_name, bytes, code) => {
    const { client, answer } = asked();
    client.receive(bytes);
    expect(errorsOf(client)).toEqual([`GOAWAY 0 ${code}`]);
    expect(answer.ended).toBe(0);
    expect(answer.reset!.cause).toBe(ResetCause.connection);
    client.receive(headers(ok, 0x5));
    expect(answer.heads).toEqual([]);
  });

  test('whose first frame is not SETTINGS is not spoken to', () => {
    const client = new Peer(false);
    client.take();
    expect(client.connection.canOpenStream).toBe(false);
    client.receive(frame(FrameType.ping, 0, 0, '0000000000000000'));
    expect(errorsOf(client)).toEqual(['GOAWAY 0 PROTOCOL_ERROR']);
  });
});

describe('What a server may do', () => {
  test.each([
    ['answer HEAD with a length and no content', 'HEAD', [headers(ok + length5, 0x5)]],
    ['answer HEAD with a length and an empty DATA', 'HEAD', [headers(ok + length5), data('', end)]],
    ['answer 304 with the length of what did not change', 'GET', [headers(notModified + length5, 0x5)]],
    ['answer 204', 'GET', [headers(noContent, 0x5)]],
    ['answer all content and an empty DATA', 'GET', [headers(ok + length5), data('aabbccddee'), data('', end)]],
    [
      'pad its frames',
      'GET',
      [frame(FrameType.headers, 0xc, 1, `02${ok}0000`), frame(FrameType.data, 9, 1, '02aa0000')],
    ],
    ['set reserved bits', 'GET', [frame(FrameType.headers, 0x5, 0x80000001, ok)]],
    ['send unknown frames, flags and settings', 'GET', [frame(0xbe, 0xff, 1, 'abcd'), headers(ok, 0xd7 & 0x5)]],
    ['send ORIGIN and ALTSVC', 'GET', [frame(0xc, 0, 0, '000161'), frame(0xa, 0, 0, '000161'), headers(ok, 0x5)]],
    ['cut its head into CONTINUATION frames', 'GET', [headers('', 0x1), frame(FrameType.continuation, 4, 1, ok)]],
    ['send trailers', 'GET', [headers(ok), headers('5f0161', 0x5)]],
  ])('%s', (_name, method, frames) => {
    const { client, answer } = asked(get.with({ set: [[':method', method]] }));
    client.receive(Buffer.concat(frames));
    expect(errorsOf(client)).toEqual([]);
    expect(answer.ended).toBe(1);
    expect(answer.reset).toBeNull();
    expect(client.connection.streamCount).toBe(0);
  });

  test('send 100 and 103 before the final head', () => {
    const { client, answer } = asked();
    client.receive(Buffer.concat([headers(continue100), headers('0803313033'), headers(ok, 0x5)]));
    expect(answer.heads.map(({ status }) => status)).toEqual([100, 103, 200]);
    expect(answer.ended).toBe(1);
  });

  test('answer late to streams that we reset, however many they are', () => {
    const client = greetedClient();
    const streams = Array.from({ length: 1000 }, () => {
      const stream = client.connection.request(get, true, new Recorder());
      stream.reset(ErrorCode.cancel);
      client.take();
      return stream;
    });
    for (const { id } of streams) client.receive(headers(ok, 0x5, id));
    expect(client.fatal).toBeNull();
  });
});

describe('SETTINGS of the server, in mid-flight', () => {
  test('set how many streams there may be, and may take back room', () => {
    const client = greetedClient();
    client.receive(frame(FrameType.settings, 0, 0, '000300000001'));
    client.connection.request(get, true, new Recorder());
    expect(client.connection.canOpenStream).toBe(false);
    client.receive(frame(FrameType.settings, 0, 0, '000300000002'));
    expect(client.connection.canOpenStream).toBe(true);
    client.receive(frame(FrameType.settings, 0, 0, '000300000000'));
    expect(client.connection.canOpenStream).toBe(false);
  });

  test('that shrink and grow the header table in one frame are announced smallest first', () => {
    const { client } = asked();
    client.receive(frame(FrameType.settings, 0, 0, '000100000000000100001000'));
    client.take();
    client.connection.request(get, true, new Recorder());
    const [head] =
      client
        .take()
        .subarray(9)
        .toString('hex')
        .match(/^203fe11f/) ?? [];
    expect(head).toBe('203fe11f');
  });

  test('are acknowledged one by one', () => {
    const client = greetedClient();
    client.receive(frame(FrameType.settings, 0, 0, '00040000ffff'));
    client.receive(frame(FrameType.settings, 0, 0));
    expect(linesOf(client.take())).toEqual(['SETTINGS ACK', 'SETTINGS ACK']);
  });

  test('say whether extended CONNECT is taken', () => {
    const client = greetedClient();
    expect(client.connection.takesExtendedConnect).toBe(false);
    client.receive(frame(FrameType.settings, 0, 0, '000800000001'));
    expect(client.connection.takesExtendedConnect).toBe(true);
  });
});

describe('GOAWAY of the server', () => {
  const goaway = (last: number, code = 0): Buffer => {
    const payload = Buffer.alloc(8);
    payload.writeUInt32BE(last, 0);
    payload.writeUInt32BE(code, 4);
    return frame(FrameType.goaway, 0, 0, payload);
  };

  test('in two steps stops new streams at once and gives back only those above the last', () => {
    const client = greetedClient();
    const [first, second] = [new Recorder(), new Recorder()];
    client.connection.request(get, true, first);
    client.connection.request(get, true, second);
    client.receive(goaway(0x7fffffff));
    expect(client.connection.canOpenStream).toBe(false);
    expect([first.reset, second.reset]).toEqual([null, null]);
    // The reserved bit is masked.
    client.receive(goaway(0x80000001));
    expect(second.reset).toEqual({ code: ErrorCode.refusedStream, cause: ResetCause.unprocessed });
    client.receive(headers(ok, 0x5));
    expect(first.ended).toBe(1);
    expect(client.connection.isFinished).toBe(true);
  });

  test('is answered by none of ours when we drain: a client has nothing to wait for', () => {
    const { client } = asked();
    client.connection.drain();
    expect(linesOf(client.take())).toEqual(['GOAWAY 0 NO_ERROR']);
    expect(client.connection.isFinished).toBe(false);
    client.receive(headers(ok, 0x5));
    expect(client.connection.isFinished).toBe(true);
  });
});

describe('CONNECT', () => {
  test('carries bytes both ways whatever content-length the answer claims', () => {
    const client = greetedClient();
    const answer = new Recorder();
    const stream = client.connection.request(
      HeaderList.of([
        [':method', 'CONNECT'],
        [':protocol', 'websocket'],
        [':scheme', 'http'],
        [':authority', 'a'],
        [':path', '/'],
      ]),
      false,
      answer,
    );
    client.receive(Buffer.concat([headers(ok + length5), data('aabbccddeeff')]));
    stream.sendData(Buffer.from('xyz'), 0, 3, true);
    client.receive(data('', end));
    expect(answer.content.length).toBe(6);
    expect(answer.ended).toBe(1);
    expect(errorsOf(client)).toEqual([]);
  });

  test('that is refused has an answer like any other, which must be whole', () => {
    const { client, answer } = asked(get.with({ set: [[':method', 'CONNECT']] }));
    // 404 of the static table.
    client.receive(Buffer.concat([headers(`8d${length5}`), data('aa', end)]));
    expect(errorsOf(client)).toEqual(['RST 1 PROTOCOL_ERROR']);
    expect(answer.ended).toBe(0);
  });
});

describe('A body that is under way', () => {
  test('stops at a window that shrinks to nothing and goes on when it grows', () => {
    const client = greetedClient();
    const stream = client.connection.request(post, false, new Recorder());
    client.receive(frame(FrameType.settings, 0, 0, '000400000000'));
    client.take();
    stream.sendData(Buffer.alloc(10), 0, 10, true);
    expect(linesOf(client.take())).toEqual([]);
    client.receive(frame(FrameType.windowUpdate, 0, 1, '80000004'));
    expect(linesOf(client.take())).toEqual(['DATA 1 4']);
    client.receive(frame(FrameType.settings, 0, 0, '00040000ffff'));
    expect(linesOf(client.take())).toEqual(['SETTINGS ACK', 'DATA 1 6 END']);
  });
});
