/**
 * From HTTP/2 to an app that speaks HTTP/1.1: what HTTP/2's binary form can carry and HTTP/1.1's text would read as
 * something else, written octet by octet. The stream is refused, and the app hears nothing of it; the connection, and
 * other requests on it, go on.
 */
import net from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { Flag, FrameType, prefaceBytes } from '../../sidecar/http2/constants.ts';
import { RawApp } from '../support/http1-wire.ts';
import { type RunningSidecar, startSidecar } from '../support/sidecar.ts';
import { until } from '../support/until.ts';
import { frame, framesOf, type SeenFrame } from '../support/wire.ts';

let app: RawApp;
let sidecar: RunningSidecar;
let socket: net.Socket;
let received: Buffer;

beforeAll(async () => {
  app = await new RawApp().listen();
  app.answers('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  sidecar = await startSidecar({ argv: ['--app', app.address, '--app-protocol', 'http1'] });
});

beforeEach(() => {
  app.forget();
  const [host, port] = sidecar.inbound.split(':');
  socket = net.connect({ host, port: Number(port) });
  received = Buffer.alloc(0);
  socket.on('error', () => {});
  socket.on('data', (bytes: Buffer) => {
    received = Buffer.concat([received, bytes]);
  });
  socket.write(Buffer.concat([prefaceBytes, frame(FrameType.settings, 0, 0)]));
});

afterEach(() => {
  socket.destroy();
});

afterAll(async () => {
  await sidecar.stop();
  app.close();
});

type Pairs = readonly (readonly [name: string, value: string])[];

/** Fields as literals without indexing and without Huffman coding: any octet passes (RFC 7541 §6.2.2). */
function block(pairs: Pairs): Buffer {
  const string = (text: string): Buffer => {
    const octets = Buffer.from(text, 'latin1');
    return Buffer.concat([Buffer.from([octets.length]), octets]);
  };
  return Buffer.concat(pairs.flatMap(([name, value]) => [Buffer.from([0]), string(name), string(value)]));
}

function request(changes: Record<string, string>, more: Pairs = []): Buffer {
  const pseudo = { ':method': 'GET', ':scheme': 'http', ':authority': 'a', ':path': '/', ...changes };
  return block([...Object.entries(pseudo), ...more]);
}

async function frameOn(streamId: number, type: number): Promise<SeenFrame> {
  return until(() => framesOf(received).find((seen) => seen.streamId === streamId && seen.type === type), {
    what: `a frame of type ${type} on stream ${streamId}`,
  });
}

const injected = '\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';

test.each<[string, Record<string, string>, Pairs]>([
  ['CRLF in a value', {}, [['x', `a${injected}`]]],
  ['LF in a value', {}, [['x', 'a\nHost: b']]],
  ['CR in a value', {}, [['x', 'a\rHost: b']]],
  ['NUL in a value', {}, [['x', 'a\0b']]],
  ['a value that begins with a space', {}, [['x', ' a']]],
  ['CRLF in a name', {}, [['x\r\nhost', 'b']]],
  ['a colon in a name', {}, [['x: y', 'b']]],
  ['a space in a name', {}, [['x y', 'b']]],
  ['a capital in a name', {}, [['Transfer-Encoding', 'chunked']]],
  ['transfer-encoding', {}, [['transfer-encoding', 'chunked']]],
  ['connection', {}, [['connection', 'keep-alive']]],
  ['upgrade', {}, [['upgrade', 'websocket']]],
  ['a TE that HTTP/1.1 would act on', {}, [['te', 'trailers, chunked']]],
  ['a host that differs from :authority', {}, [['host', 'b']]],
  [
    'two lengths',
    {},
    [
      ['content-length', '3'],
      ['content-length', '4'],
    ],
  ],
  ['a length with a sign', {}, [['content-length', '+3']]],
  ['a space in :path', { ':path': '/ HTTP/1.1\r\nHost: b' }, []],
  ['CRLF in :path', { ':path': `/${injected}` }, []],
  ['a tab in :path', { ':path': '/a\tb' }, []],
  ['a fragment in :path', { ':path': '/a#b' }, []],
  ['an octet beyond ASCII in :path', { ':path': '/\xe9' }, []],
  ['a :path without a slash', { ':path': 'a' }, []],
  ['an empty :path', { ':path': '' }, []],
  ['a space in :method', { ':method': 'GET / HTTP/1.1\r\nX:' }, []],
  ['an empty :method', { ':method': '' }, []],
  ['a colon in :method', { ':method': 'GET:' }, []],
  ['CRLF in :authority', { ':authority': 'a\r\nX: y' }, []],
  ['a user in :authority', { ':authority': 'u@a' }, []],
  ['a path in :authority', { ':authority': 'a/b' }, []],
  ['CRLF in :scheme', { ':scheme': 'http\r\nX: y' }, []],
])('%s is refused', async (_name, changes, more) => {
  socket.write(frame(FrameType.headers, Flag.endHeaders | Flag.endStream, 1, request(changes, more)));
  const reset = await frameOn(1, FrameType.rstStream);
  expect(reset.payload.readUInt32BE(0)).toBe(1);
  socket.write(frame(FrameType.headers, Flag.endHeaders | Flag.endStream, 3, request({ ':path': '/fine' })));
  await frameOn(3, FrameType.headers);
  expect(app.received).toMatch(/^GET \/fine HTTP\/1\.1\r\n/);
  expect(app.received).not.toContain('smuggled');
});

test.each([
  ['more content than its length', 3, 'abcdGET /smuggled HTTP/1.1\r\n\r\n'],
  ['less content than its length', 100, 'abc'],
])('%s is refused, and the app sees no end of it', async (_name, length, content) => {
  const head = request({ ':method': 'POST' }, [['content-length', String(length)]]);
  socket.write(
    Buffer.concat([
      frame(FrameType.headers, Flag.endHeaders, 1, head),
      frame(FrameType.data, Flag.endStream, 1, Buffer.from(content)),
    ]),
  );
  const reset = await frameOn(1, FrameType.rstStream);
  expect(reset.payload.readUInt32BE(0)).toBe(1);
  await until(() => app.hasBrokenOff, { what: "the app's connection breaks off" });
  expect(app.received).not.toContain('smuggled');
});
