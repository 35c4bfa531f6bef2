/**
 * Messages and frames that are not what they say they are, by name, over a real socket against a real sidecar: each ends
 * a stream or the connection with the code of the RFC, and none of them reaches the app.
 */
import { describe, expect, test } from 'vitest';
import { ErrorCode, Flag, FrameType, prefaceBytes, SettingId } from '../../sidecar/http2/constants.ts';
import {
  block,
  data,
  type Fields,
  headers,
  indexed,
  literal,
  ping,
  request,
  settings,
  shortGet,
  windowUpdate,
} from '../support/attack/blocks.ts';
import { rigForAll } from '../support/attack/rig.ts';
import { until } from '../support/until.ts';
import { frame } from '../support/wire.ts';

const at = rigForAll();

const get = (...more: Fields): Buffer => headers(1, request('GET', '/evil', ...more));
const post = (...more: Fields): Buffer => headers(1, request('POST', '/evil', ...more), Flag.endHeaders);
const trailers = headers(1, literal('grpc-status', '0'));

describe('A malformed request is reset with PROTOCOL_ERROR and never reaches the app:', () => {
  const malformed: readonly (readonly [string, readonly Buffer[]])[] = [
    ['content-length beside END_STREAM', [get(['content-length', '5'])]],
    ['no pseudo-header fields at all', [headers(1, block([['x', 'y']]))]],
    [
      'pseudo-header order: :path behind a regular field',
      [
        headers(
          1,
          block([
            [':method', 'GET'],
            [':scheme', 'http'],
            [':authority', 'app'],
            ['x', 'y'],
            [':path', '/'],
          ]),
        ),
      ],
    ],
    ['a pseudo-header field twice', [get([':path', '/other'])]],
    ['an unknown pseudo-header field', [get([':shadow', '1'])]],
    ['a pseudo-header field of responses', [get([':status', '200'])]],
    ['Host that differs from :authority', [get(['host', 'bank'])]],
    ['Host twice', [get(['host', 'app'], ['host', 'app'])]],
    ['connection', [get(['connection', 'close'])]],
    ['keep-alive', [get(['keep-alive', 'timeout=5'])]],
    ['proxy-connection', [get(['proxy-connection', 'keep-alive'])]],
    ['transfer-encoding: chunked', [post(['transfer-encoding', 'chunked'])]],
    ['upgrade', [get(['upgrade', 'h2c'])]],
    ['TE other than trailers', [get(['te', 'gzip'])]],
    ['duplicate TE', [get(['te', 'trailers'], ['te', 'trailers'])]],
    ['duplicate TE, one of them chunked', [get(['te', 'trailers'], ['te', 'chunked'])]],
    ['an uppercase name', [get(['X-Evil', '1'])]],
    ['an empty name', [get(['', '1'])]],
    ['CR LF in a value', [get(['x', 'a\r\nhost: bank'])]],
    ['NUL in a value', [get(['x', 'a\0b'])]],
    ['a space in a name', [get(['x y', '1'])]],
    ['a path with a space', [headers(1, request('GET', '/evil HTTP/1.1'))]],
    ['two content-lengths', [post(['content-length', '1'], ['content-length', '2'])]],
    ['a negative content-length', [post(['content-length', '-1'])]],
    ['a content-length beyond counting', [post(['content-length', '99999999999999999999'])]],
  ];

  test.each(malformed)('%s', async (_name, frames) => {
    const before = at.rig.app.requests;
    const attacker = await at.rig.connect();
    attacker.send(...frames);
    await until(() => attacker.resets.has(1), { what: 'the stream is reset' });
    expect(attacker.resets.get(1)).toBe(ErrorCode.protocolError);
    // The connection goes on, and its tables are in step.
    attacker.send(headers(3, shortGet('/fine')));
    await until(() => attacker.statuses.get(3) === 200, { what: 'another stream is answered' });
    expect(at.rig.app.requests - before).toBe(1);
    attacker.close();
  });
});

describe('Content that is not what was announced resets the stream, also toward the app:', () => {
  test.each([
    ['more DATA than content-length', [post(['content-length', '2']), data(1, 'four')]],
    ['less DATA than content-length', [post(['content-length', '9']), data(1, 'four', Flag.endStream)]],
    ['trailers before content-length was reached', [post(['content-length', '9']), data(1, 'four'), trailers]],
    ['an empty DATA that ends too early', [post(['content-length', '9']), data(1, '', Flag.endStream)]],
    ['pseudo-header fields in trailers', [post(), data(1, 'four'), headers(1, literal(':path', '/other'))]],
    ['trailers that do not end the stream', [post(), headers(1, literal('x', 'y'), Flag.endHeaders)]],
  ])('%s', async (_name, frames) => {
    const before = { ...at.rig.app };
    const attacker = await at.rig.connect();
    // `/hang`-like: the app has the head and waits for the end of the content, which never comes.
    attacker.send(...frames);
    await until(() => attacker.resets.has(1), { what: 'the stream is reset' });
    expect(attacker.resets.get(1)).toBe(ErrorCode.protocolError);
    await until(() => at.rig.app.requests - before.requests <= 1, { what: 'the app saw one head at most' });
    attacker.close();
  });
});

describe('A frame that breaks the connection ends it, and nothing behind it is processed:', () => {
  const { protocolError, compressionError, flowControlError, frameSizeError } = ErrorCode;
  const padded = Flag.endHeaders | Flag.endStream | Flag.padded;
  const connection: readonly (readonly [string, readonly Buffer[], number])[] = [
    ['CVE-2026-33814 SETTINGS_MAX_FRAME_SIZE of 0', [settings([SettingId.maxFrameSize, 0])], protocolError],
    ['SETTINGS_MAX_FRAME_SIZE beyond 24 bits', [settings([SettingId.maxFrameSize, 0x1000000])], protocolError],
    ['SETTINGS_INITIAL_WINDOW_SIZE of 2^31', [settings([SettingId.initialWindowSize, 0x80000000])], flowControlError],
    ['CVE-2026-21714 window overflow of the connection', [windowUpdate(0, 0x7fffffff)], flowControlError],
    [
      'window overflow of a stream by SETTINGS',
      [headers(1, shortGet('/hang')), windowUpdate(1, 0x7fff0000), settings([SettingId.initialWindowSize, 0x7fffffff])],
      flowControlError,
    ],
    ['CVE-2026-27135 a fatal error with more behind it', [windowUpdate(0, 0), ping(), settings()], protocolError],
    ['HPACK integer without an end', [headers(1, Buffer.from('ffffffffffffffffffff01', 'hex'))], compressionError],
    ['HPACK integer beyond 32 bits', [headers(1, Buffer.from('ff8080808010', 'hex'))], compressionError],
    ['HPACK string longer than its block', [headers(1, Buffer.from('0003612e', 'hex'))], compressionError],
    ['HPACK string of 2 GiB', [headers(1, Buffer.from('00ff80ffffff07', 'hex'))], compressionError],
    ['HPACK index that does not exist', [headers(1, indexed(4000))], compressionError],
    ['HPACK index 0', [headers(1, Buffer.from([0x80]))], compressionError],
    ['HPACK table beyond what was offered', [headers(1, Buffer.from('3fe1ff03', 'hex'))], compressionError],
    ['HPACK table size behind a field', [headers(1, Buffer.from('8220', 'hex'))], compressionError],
    ['HPACK Huffman padding of more than 7 bits', [headers(1, Buffer.from('008161ff82ffff', 'hex'))], compressionError],
    ['padding of HEADERS longer than the frame', [headers(1, Buffer.from('ff8286', 'hex'), padded)], protocolError],
    [
      'padding of DATA longer than the frame',
      [headers(1, request('POST', '/hang'), Flag.endHeaders), data(1, Buffer.from([5, 1, 2]), Flag.padded)],
      protocolError,
    ],
    ['padded DATA of no length', [headers(1, request('POST', '/hang'), 4), data(1, '', Flag.padded)], frameSizeError],
    ['a frame of 16 MiB', [Buffer.from('ffffff000000000001', 'hex')], frameSizeError],
    ['a frame inside a header block', [headers(1, shortGet('/'), Flag.endStream), ping()], protocolError],
    ['HEADERS on an even stream', [headers(2, shortGet('/'))], protocolError],
    [
      'HEADERS below the last stream',
      [headers(5, shortGet('/hang')), headers(3, shortGet('/'))],
      ErrorCode.streamClosed,
    ],
    ['PUSH_PROMISE from a client', [frame(FrameType.pushPromise, 4, 1, '00000002')], protocolError],
    ['DATA on a stream that nobody opened', [data(9, 'x')], protocolError],
  ];

  test.each(connection)('%s', async (_name, frames, code) => {
    const report = await at.rig.attack(async (attacker) => {
      const before = at.rig.app.requests;
      const isHanging = frames.length > 1 && frames[0]?.includes('/hang') === true;
      // In one piece, so that what comes behind is in the same read.
      attacker.send(...frames, headers(101, shortGet('/after')), ping());
      await attacker.thrownOut();
      expect(at.rig.app.requests - before).toBeLessThanOrEqual(isHanging ? 1 : 0);
    });
    const { attacker } = report;
    expect(attacker.goaway?.code).toBe(code);
    expect(attacker.framesSinceGoaway).toBe(0);
    expect(attacker.pongs).toBe(0);
    expect(attacker.statuses.size).toBe(0);
  });

  test('a preface that turns into something else', async () => {
    const wrong = Buffer.from(prefaceBytes);
    wrong[20] = 0x58;
    const report = await at.rig.attack((attacker) => attacker.thrownOut(), { greeting: wrong, isRude: true });
    expect(report.attacker.goaway?.code).toBe(protocolError);
  });
});
