/**
 * Upgrades through a real sidecar, in every pair of protocols: WebSocket's handshake and frames as they stand on the
 * wire, other protocols, and what becomes of an upgrade that is declined, cut off or none.
 */
import http2 from 'node:http2';
import { expect, test } from 'vitest';
import { http1Rig } from '../support/http1-rig.ts';
import { RawClient, statusLines } from '../support/http1-wire.ts';
import { startSidecar } from '../support/sidecar.ts';
import { until } from '../support/until.ts';
import { acceptOf, handshake, readFrame, textFrame, websocketAnswer } from '../support/websocket.ts';

const rig = http1Rig(['--app-protocol', 'http1']);

/** The app accepts WebSockets and answers each frame in capitals. */
function shout(): void {
  rig.app.onData = (connection) => {
    const { socket, received } = connection;
    const end = received.indexOf('\r\n\r\n') + 4;
    if (!/^upgrade: websocket/im.test(received)) return;
    if (received.length === end) {
      const key = /sec-websocket-key: (\S+)/i.exec(received)?.[1] ?? '';
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptOf(key)}\r\n\r\n`,
      );
    }
    const text = readFrame(received.slice(end));
    if (text !== undefined) socket.write(Buffer.from(textFrame(text.toUpperCase(), false), 'latin1'));
  };
}

test('a WebSocket passes from HTTP/1.1 to HTTP/1.1', async () => {
  shout();
  rig.client.send(handshake('/chat'));
  const answer = await rig.client.reads('\r\n\r\n');
  expect(answer).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n/);
  expect(answer).toContain(`sec-websocket-accept: ${websocketAnswer}\r\n`);
  expect(rig.app.received).toMatch(/^GET \/chat HTTP\/1\.1\r\nhost: chat\r\n/);
  expect(rig.app.received).toContain('connection: Upgrade\r\nupgrade: websocket\r\n');
  rig.client.received = '';
  rig.client.send(textFrame('hello', true));
  await rig.client.reads('HELLO');
  expect(readFrame(rig.client.received)).toBe('HELLO');
});

test('each direction of a tunnel ends for itself', async () => {
  rig.app.onData = ({ socket, received }) => {
    if (received.endsWith('\r\n\r\n')) {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo/2\r\nConnection: Upgrade\r\n\r\nearly');
    }
  };
  rig.client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: foo/2\r\n\r\n');
  expect(await rig.client.reads('early')).toContain('upgrade: foo/2\r\n');
  rig.client.send('last');
  rig.client.socket.end();
  await until(() => rig.app.connections[0]?.isEnded, { what: "the app sees the caller's end" });
  expect(rig.app.received).toMatch(/\r\n\r\nlast$/);
  expect(rig.client.isEnded).toBe(false);
  rig.app.connections[0]?.socket.end('goodbye');
  expect(await rig.client.readsAll()).toMatch(/earlygoodbye$/);
  expect(rig.client.error).toBe('');
});

test('a deadline is for the answer, not for the tunnel, and a tunnel is no slow request', async () => {
  const policy =
    'apiVersion: weir.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: { name: app }\nspec:\n  target: { service: app }\n' +
    '  inbound: { deadline: { default: 200ms } }\n';
  const hasty = await startSidecar({ argv: ['--app', rig.app.address], policy });
  shout();
  const caller = new RawClient(hasty.inbound);
  caller.send(handshake('/'));
  await caller.reads('\r\n\r\n');
  // An ordinary request runs into its deadline meanwhile, so that the tunnel's would have passed too.
  const late = new RawClient(hasty.inbound);
  late.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  expect(statusLines(await late.reads('weir-reason: deadline\r\n'))).toEqual(['504']);
  late.destroy();
  caller.received = '';
  caller.send(textFrame('hello', true));
  await caller.reads('HELLO');
  caller.socket.resetAndDestroy();
  await until(() => hasty.sidecar.inFlight === 0, { what: 'nothing is in flight' });
  await hasty.stop();
});

test('a tunnel that the app breaks off is broken off toward the caller', async () => {
  rig.app.onData = ({ socket, received }) => {
    if (received.endsWith('\r\n\r\n')) {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo\r\nConnection: Upgrade\r\n\r\n');
    } else socket.resetAndDestroy();
  };
  rig.client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n');
  await rig.client.reads('\r\n\r\n');
  rig.client.send('x');
  await rig.client.readsAll();
  expect(rig.client.error).toBe('ECONNRESET');
});

test('a tunnel that the caller breaks off is broken off toward the app', async () => {
  shout();
  rig.client.send(handshake('/'));
  await rig.client.reads('\r\n\r\n');
  rig.client.socket.resetAndDestroy();
  await until(() => rig.app.connections[0]?.isClosed, { what: "the app's socket closes" });
  await until(() => rig.sidecar.sidecar.inFlight === 0, { what: 'nothing is in flight' });
});

test('an upgrade that the app declines is answered as it was, and what was sent after it is no request', async () => {
  rig.app.answers('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno');
  rig.client.send(`${handshake('/chat')}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`);
  const answer = await rig.client.readsAll();
  expect(statusLines(answer)).toEqual(['403']);
  expect(answer).toMatch(/Connection: close\r\n\r\nno$/);
  expect(rig.app.received).not.toContain('/smuggled');
});

test('a 200 where a 101 was due does not pass for a tunnel', async () => {
  rig.app.answers('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  rig.client.send(handshake('/chat'));
  const answer = await rig.client.readsAll();
  expect(statusLines(answer)).toEqual(['502']);
  expect(answer).toContain('weir-reason: upstream_protocol\r\n');
});

test('a 101 that nobody asked for is refused', async () => {
  rig.app.answers(
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo\r\nConnection: Upgrade\r\n\r\nHTTP/1.1 200 OK\r\n\r\n',
  );
  rig.client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const answer = await rig.client.reads('weir-reason: upstream_protocol\r\n');
  expect(statusLines(answer)).toEqual(['502']);
});

test('h2c is not switched to; the request is answered, and the connection goes on', async () => {
  rig.app.answers('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  const offer = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n';
  rig.client.send(`GET / HTTP/1.1\r\nHost: a\r\n${offer}\r\n`);
  await rig.client.reads('\r\n\r\nok');
  expect(rig.app.received).not.toMatch(/upgrade|http2-settings/i);
  rig.client.received = '';
  rig.app.onData = ({ socket, received }) => {
    if (received.endsWith('body')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes');
  };
  rig.client.send(`POST /with HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n${offer}\r\nbody`);
  await rig.client.reads('\r\n\r\nyes');
  expect(rig.app.received).toMatch(/POST \/with HTTP\/1\.1\r\n[\s\S]*content-length: 4\r\n[\s\S]*\r\n\r\nbody$/);
});

test('CONNECT is refused with a reason', async () => {
  rig.client.send('CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n');
  const answer = await rig.client.readsAll();
  expect(answer).toContain('weir-reason: connect_refused\r\n');
  expect(rig.app.connections).toHaveLength(0);
});

test.each([
  ['a CONNECT', 'CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n'],
  ['an upgrade', handshake('/')],
])('%s behind a request that is not answered yet ends the connection, and answers nobody', async (_name, text) => {
  rig.client.send(`GET / HTTP/1.1\r\nHost: a\r\n\r\n${text}`);
  expect(await rig.client.readsAll()).toBe('');
});

test('a WebSocket passes from HTTP/2 to HTTP/1.1: the proxy makes the key and checks the answer', async () => {
  shout();
  const session = http2.connect(`http://${rig.sidecar.inbound}`);
  const stream = session.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':scheme': 'http',
    ':path': '/chat',
    ':authority': 'chat',
    'sec-websocket-version': '13',
  });
  let status = 0;
  let accept: unknown;
  stream.on('response', (headers) => {
    status = headers[':status'] ?? 0;
    accept = headers['sec-websocket-accept'];
  });
  let received = '';
  stream.on('data', (bytes: Buffer) => {
    received += bytes.toString('latin1');
  });
  stream.write(Buffer.from(textFrame('hello', true), 'latin1'));
  await until(() => readFrame(received), { what: 'the answer comes' });
  expect(readFrame(received)).toBe('HELLO');
  expect(status).toBe(200);
  expect(accept).toBeUndefined();
  expect(rig.app.received).toMatch(/^GET \/chat HTTP\/1\.1\r\n/);
  expect(rig.app.received).toMatch(/sec-websocket-key: \S{24}\r\n/);
  session.destroy();
  await until(() => rig.app.connections[0]?.isClosed, { what: "the app's socket closes" });
});

test('an answer to the wrong key is no WebSocket', async () => {
  rig.app.answers(
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n',
  );
  const session = http2.connect(`http://${rig.sidecar.inbound}`);
  const stream = session.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':scheme': 'http',
    ':path': '/',
    ':authority': 'chat',
  });
  let status = 0;
  stream.on('response', (headers) => {
    status = headers[':status'] ?? 0;
  });
  stream.on('error', () => {});
  stream.resume();
  await until(() => status, { what: 'an answer' });
  expect(status).toBe(502);
  session.destroy();
});

test('a WebSocket passes from HTTP/1.1 to an HTTP/2 app that takes extended CONNECT', async () => {
  const h2app = http2.createServer({ settings: { enableConnectProtocol: true } });
  let head: http2.IncomingHttpHeaders = {};
  h2app.on('stream', (stream, headers) => {
    head = headers;
    stream.respond({ ':status': 200 });
    stream.on('data', (bytes: Buffer) => {
      const text = readFrame(bytes.toString('latin1')) ?? '';
      stream.write(Buffer.from(textFrame(text.toUpperCase(), false), 'latin1'));
    });
    stream.on('end', () => stream.end());
  });
  await new Promise<void>((resolve) => h2app.listen(0, '127.0.0.1', resolve));
  const address = h2app.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  const toH2 = await startSidecar({ argv: ['--app', `127.0.0.1:${port}`, '--app-protocol', 'http2'] });
  const caller = new RawClient(toH2.inbound);
  caller.send(handshake('/chat'));
  const answer = await caller.reads('\r\n\r\n');
  expect(answer).toContain(`sec-websocket-accept: ${websocketAnswer}\r\n`);
  expect(head).toMatchObject({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/chat', ':scheme': 'http' });
  caller.received = '';
  caller.send(textFrame('hello', true));
  await caller.reads('HELLO');
  caller.socket.end();
  await caller.readsAll();
  expect(caller.error).toBe('');
  await toH2.stop();
  h2app.close();
});
