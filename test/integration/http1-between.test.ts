/**
 * HTTP/1.1 on one side and HTTP/2 on the other, and two sidecars between two parties of HTTP/1.1: trailers, interim
 * answers and upgrades come through every change of form.
 */
import http2 from 'node:http2';
import { afterEach, expect, test } from 'vitest';
import { RawApp, RawClient, statusLines } from '../support/http1-wire.ts';
import { startSidecar } from '../support/sidecar.ts';
import { until } from '../support/until.ts';
import { acceptOf, handshake, readFrame, textFrame, websocketAnswer } from '../support/websocket.ts';

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function sidecarWith(argv: readonly string[]): Promise<{ inbound: string; outbound: string }> {
  const sidecar = await startSidecar({ argv });
  closers.push(() => sidecar.stop());
  return sidecar;
}

async function h2App(onStream: (stream: http2.ServerHttp2Stream, head: http2.IncomingHttpHeaders) => void) {
  const server = http2.createServer();
  server.on('stream', onStream);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
  const address = server.address();
  return `127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}`;
}

async function rawApp(): Promise<RawApp> {
  const app = await new RawApp().listen();
  closers.push(() => app.close());
  return app;
}

function clientOf(address: string): RawClient {
  const client = new RawClient(address);
  closers.push(() => client.destroy());
  return client;
}

test('an HTTP/1.1 caller gets the trailers of an HTTP/2 app as chunked trailers', async () => {
  let seen: http2.IncomingHttpHeaders = {};
  let requestTrailers: http2.IncomingHttpHeaders = {};
  const app = await h2App((stream, head) => {
    seen = head;
    stream.on('trailers', (trailers) => {
      requestTrailers = trailers;
    });
    stream.resume();
    stream.on('end', () => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'x-sum': '42' }));
      stream.end('message');
    });
  });
  const { inbound } = await sidecarWith(['--app', app, '--app-protocol', 'http2']);
  const client = clientOf(inbound);
  client.send(
    'POST /echo.Echo/Say HTTP/1.1\r\nHost: echo\r\nTE: trailers\r\nContent-Type: application/grpc\r\n' +
      'Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-In: 7\r\n\r\n',
  );
  const answer = await client.reads('x-sum: 42\r\n\r\n');
  expect(answer).toMatch(/7\r\nmessage\r\n0\r\ngrpc-status: 0\r\nx-sum: 42\r\n\r\n$/);
  expect(seen).toMatchObject({ ':authority': 'echo', ':path': '/echo.Echo/Say', te: 'trailers' });
  expect(requestTrailers).toMatchObject({ 'x-in': '7' });
});

test('an HTTP/2 caller gets the chunked trailers of an HTTP/1.1 app, and the app gets the caller’s', async () => {
  const app = await rawApp();
  app.onData = ({ socket, received }) => {
    if (!received.endsWith('x-in: 7\r\n\r\n')) return;
    socket.write('HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n');
    socket.write('HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n');
    socket.write('7\r\nmessage\r\n0\r\nGrpc-Status: 0\r\n\r\n');
  };
  const { inbound } = await sidecarWith(['--app', app.address, '--app-protocol', 'http1']);
  const session = http2.connect(`http://${inbound}`);
  closers.push(() => session.destroy());
  const stream = session.request({ ':path': '/', ':method': 'POST', te: 'trailers' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-in': '7' }));
  stream.end('hi');
  const heads: unknown[] = [];
  stream.on('headers', (head) => heads.push(head[':status']));
  stream.on('response', (head) => heads.push(head[':status']));
  let trailers: http2.IncomingHttpHeaders | undefined;
  stream.on('trailers', (list) => {
    trailers = list;
  });
  stream.resume();
  await until(() => trailers, { what: 'trailers come' });
  expect(trailers).toMatchObject({ 'grpc-status': '0' });
  expect(heads).toEqual([103, 200]);
  expect(app.received).toContain('te: trailers\r\nconnection: TE\r\n');
});

test('an HTTP/2 app that breaks its answer off breaks off the HTTP/1.1 caller', async () => {
  const app = await h2App((stream) => {
    stream.on('error', () => {});
    stream.respond({ ':status': 200 });
    stream.write('part', () => stream.session?.destroy());
  });
  const { inbound } = await sidecarWith(['--app', app, '--app-protocol', 'http2']);
  const client = clientOf(inbound);
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  expect(await client.readsAll()).not.toMatch(/0\r\n\r\n$/);
});

test('the announcement of trailers where none can be sent is dropped, and the proxy goes on', async () => {
  const app = await rawApp();
  app.onData = ({ socket, received }) => {
    if (received.endsWith('abc')) socket.write('HTTP/1.1 200 OK\r\nTrailer: X\r\nContent-Length: 2\r\n\r\nok');
    if (received.startsWith('HEAD'))
      socket.write('HTTP/1.1 200 OK\r\nTrailer: X\r\nTransfer-Encoding: chunked\r\n\r\n');
  };
  const { inbound } = await sidecarWith(['--app', app.address]);
  const client = clientOf(inbound);
  client.send('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.reads('\r\n\r\n');
  client.send('POST / HTTP/1.1\r\nHost: a\r\nTrailer: X\r\nContent-Length: 3\r\n\r\nabc');
  await client.reads('\r\n\r\nok');
  expect(statusLines(client.received)).toEqual(['200', '200']);
  expect(client.received).not.toMatch(/trailer/i);
});

test('a method in small letters is not made another one for an HTTP/1.1 app', async () => {
  const app = await rawApp();
  const { inbound } = await sidecarWith(['--app', app.address, '--app-protocol', 'http1']);
  const session = http2.connect(`http://${inbound}`);
  closers.push(() => session.destroy());
  const stream = session.request({ ':path': '/', ':method': 'get' });
  let status: unknown;
  stream.on('response', (head) => {
    status = head[':status'];
  });
  stream.resume();
  await until(() => status, { what: 'an answer' });
  expect(status).toBe(400);
  expect(app.received).toBe('');
});

test('a WebSocket passes two sidecars', async () => {
  const app = await rawApp();
  app.onData = ({ socket, received }) => {
    const end = received.indexOf('\r\n\r\n') + 4;
    const key = /sec-websocket-key: (\S+)/i.exec(received)?.[1] ?? '';
    const accept = `Sec-WebSocket-Accept: ${acceptOf(key)}\r\n\r\n`;
    if (received.length === end) {
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${accept}`);
    }
    const text = readFrame(received.slice(end));
    if (text !== undefined) socket.write(Buffer.from(textFrame(text.toUpperCase(), false), 'latin1'));
  };
  const theirs = await sidecarWith(['--app', app.address]);
  const ours = await sidecarWith(['--endpoint', `default/chat=${theirs.inbound}`, '--authority', 'chat=default/chat']);
  const client = clientOf(ours.outbound);
  client.send(handshake('/chat'));
  expect(await client.reads('\r\n\r\n')).toContain(`sec-websocket-accept: ${websocketAnswer}\r\n`);
  client.received = '';
  client.send(textFrame('hello', true));
  await client.reads('HELLO');
  client.socket.end();
  await until(() => app.connections[0]?.isEnded, { what: 'the app sees the end' });
});
