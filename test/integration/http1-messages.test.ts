/**
 * HTTP/1.1 messages through a real sidecar, byte for byte on both sides: their forms, their order, and what of the one
 * connection does not reach the other.
 */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { http1Rig, okAnswer } from '../support/http1-rig.ts';
import { RawClient, statusLines } from '../support/http1-wire.ts';
import { startSidecar } from '../support/sidecar.ts';
import { until } from '../support/until.ts';

const rig = http1Rig();

const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${more}\r\n`;

test('one connection carries request after request, and so does the one to the app', async () => {
  rig.app.answers(okAnswer);
  for (const path of ['/1', '/2', '/3']) {
    rig.client.received = '';
    rig.client.send(get(path));
    expect(await rig.client.reads('\r\n\r\nok')).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  }
  expect(rig.app.connections).toHaveLength(1);
  expect(rig.app.received.match(/GET \S+ HTTP/g)).toEqual(['GET /1 HTTP', 'GET /2 HTTP', 'GET /3 HTTP']);
});

test('pipelined requests reach the app one at a time, and the answers keep their order', async () => {
  let underWay = 0;
  let underWayMax = 0;
  const slow = http.createServer((request, response) => {
    underWay++;
    underWayMax = Math.max(underWayMax, underWay);
    // The first is the slowest: an order that only timing keeps would break.
    const delayMs = request.url === '/0' ? 30 : 0;
    setTimeout(() => {
      underWay--;
      response.end(`<${request.url}>`);
    }, delayMs);
  });
  await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
  const { port }: AddressInfo = Object.assign({ address: '', family: '', port: 0 }, slow.address());
  const other = await startSidecar({ argv: ['--app', `127.0.0.1:${port}`] });
  const pipelining = new RawClient(other.inbound);
  const paths = Array.from({ length: 20 }, (_, i) => `/${i}`);
  pipelining.send(paths.map((path) => get(path)).join(''));
  await pipelining.reads('</19>');
  expect(pipelining.received.match(/<\/\d+>/g)).toEqual(paths.map((path) => `<${path}>`));
  expect(underWayMax).toBe(1);
  pipelining.destroy();
  await other.stop();
  slow.closeAllConnections();
  slow.close();
});

test('what is pipelined beyond the bound is for another connection', async () => {
  rig.app.answers(okAnswer);
  rig.client.send(get('/').repeat(400));
  await rig.client.readsAll();
  expect(statusLines(rig.client.received)).toHaveLength(129);
  expect(rig.client.received).toContain('Connection: close');
});

test('chunked content and its trailers pass both ways', async () => {
  rig.app.onData = ({ socket, received }) => {
    if (!received.endsWith('x-sum: 42\r\n\r\n')) return;
    socket.write(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Out\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-Out: 7\r\n\r\n',
    );
  };
  rig.client.send(
    'POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3;ext=1\r\nxyz\r\n0\r\nX-Sum: 42\r\n\r\n',
  );
  const answer = await rig.client.reads('x-out: 7\r\n\r\n');
  expect(answer).toMatch(/transfer-encoding: chunked/i);
  expect(answer).toMatch(/trailer: X-Out/);
  expect(answer).toContain('3\r\nabc\r\n');
  expect(rig.app.received).toContain('te: trailers\r\nconnection: TE\r\n');
  expect(rig.app.received).toContain('transfer-encoding: chunked\r\n');
  expect(rig.app.received).toContain('\r\n\r\n3\r\nxyz\r\n0\r\nx-sum: 42\r\n\r\n');
});

test('Expect: 100-continue is for the app to answer', async () => {
  rig.app.onData = ({ socket, received }) => {
    if (received.endsWith('\r\n\r\n')) socket.write('HTTP/1.1 100 Continue\r\n\r\n');
    if (received.endsWith('body')) socket.write(okAnswer);
  };
  rig.client.send('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n');
  await rig.client.reads('HTTP/1.1 100 Continue\r\n\r\n');
  expect(rig.app.received).toContain('expect: 100-continue\r\n');
  rig.client.send('body');
  await rig.client.reads('\r\n\r\nok');
  expect(statusLines(rig.client.received)).toEqual(['100', '200']);
});

test('an app that refuses instead of continuing is heard, and the connection ends', async () => {
  rig.app.answers('HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n');
  rig.client.send('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n');
  expect(statusLines(await rig.client.readsAll())).toEqual(['417']);
});

test('interim answers pass with their fields', async () => {
  rig.app.answers(
    `HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n${okAnswer}`,
  );
  rig.client.send(get('/'));
  await rig.client.reads('\r\n\r\nok');
  expect(statusLines(rig.client.received)).toEqual(['103', '102', '200']);
  expect(rig.client.received).toContain('HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n');
});

test('an app that sends interim answers without end is broken off', async () => {
  rig.app.answers('HTTP/1.1 102 Processing\r\n\r\n'.repeat(200));
  rig.client.send(get('/'));
  await rig.client.reads('weir-reason: upstream_protocol');
  expect(statusLines(rig.client.received)).toEqual([...Array.from({ length: 32 }, () => '102'), '502']);
});

test('HEAD, 204 and 304 have no content, whatever their length says', async () => {
  rig.app.answers('HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n');
  rig.client.send('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
  expect(await rig.client.reads('\r\n\r\n')).toMatch(/content-length: 1234\r\n/i);
  rig.client.received = '';
  rig.app.answers('HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\nETag: "x"\r\n\r\n');
  rig.client.send(get('/'));
  expect(await rig.client.reads('\r\n\r\n')).toMatch(/etag: "x"\r\n/);
  rig.client.received = '';
  rig.app.answers('HTTP/1.1 204 No Content\r\n\r\n');
  rig.client.send(get('/'));
  await rig.client.reads('\r\n\r\n');
  expect(rig.client.received).toMatch(/^HTTP\/1\.1 204/);
  expect(rig.client.received).not.toMatch(/content-length|transfer-encoding/i);
  rig.client.received = '';
  rig.app.answers(okAnswer);
  rig.client.send(get('/'));
  await rig.client.reads('\r\n\r\nok');
});

test('an HTTP/1.0 caller gets no chunks, and the end of the connection ends its answer', async () => {
  rig.app.answers('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n');
  rig.client.send('GET /old HTTP/1.0\r\n\r\n');
  const answer = await rig.client.readsAll();
  expect(answer).toMatch(/\r\n\r\nhello$/);
  expect(answer).not.toMatch(/transfer-encoding/i);
  expect(rig.client.error).toBe('');
  // It need not say whom it means; then it means whom it reached.
  expect(rig.app.received).toContain(`host: ${rig.sidecar.inbound}\r\n`);
});

test('the absolute form and OPTIONS * mean what RFC 9112 says', async () => {
  rig.app.answers(okAnswer);
  rig.client.send('GET http://shop/a?b=c HTTP/1.1\r\nHost: shop\r\n\r\n');
  await rig.client.reads('\r\n\r\nok');
  expect(rig.app.received).toContain('GET /a?b=c HTTP/1.1\r\nhost: shop\r\n');
  rig.client.received = '';
  rig.client.send('OPTIONS * HTTP/1.1\r\nHost: shop\r\n\r\n');
  await rig.client.reads('\r\n\r\nok');
  rig.client.received = '';
  rig.client.send('OPTIONS http://shop HTTP/1.1\r\nHost: shop\r\n\r\n');
  await rig.client.reads('\r\n\r\nok');
  expect(rig.app.received.match(/^OPTIONS \* HTTP\/1\.1\r$/gm)).toHaveLength(2);
});

test("Connection: close is each connection's own, and so are the fields that Connection names", async () => {
  rig.app.answers(
    'HTTP/1.1 200 OK\r\nConnection: close, x-hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nok',
  );
  rig.client.send(get('/', 'Connection: X-Mine\r\nX-Mine: 1\r\nX-Kept: 2\r\nProxy-Connection: keep-alive\r\n'));
  const answer = await rig.client.reads('\r\n\r\nok');
  expect(answer).not.toMatch(/x-hop|connection: close/i);
  expect(rig.app.received).toContain('x-kept: 2\r\n');
  expect(rig.app.received).not.toMatch(/x-mine|proxy-connection/i);
  rig.client.received = '';
  rig.client.send(get('/', 'Connection: close\r\n'));
  expect(await rig.client.readsAll()).toMatch(/Connection: close\r\n/);
});

test('a request in the same packet as "Connection: close" is not answered, the one before it is', async () => {
  rig.app.answers(okAnswer);
  rig.client.send(get('/one', 'Connection: close\r\n') + get('/two'));
  expect(statusLines(await rig.client.readsAll())).toEqual(['200']);
  expect(rig.app.received).not.toContain('/two');
});

test('a caller that goes away cancels its request at the app', async () => {
  rig.client.send(get('/slow'));
  await until(() => rig.app.received.includes('/slow'), { what: 'the request arrives' });
  rig.client.destroy();
  await until(() => rig.app.connections[0]?.isEnded, { what: "the app's connection ends" });
  await until(() => rig.sidecar.sidecar.inFlight === 0, { what: 'nothing is in flight' });
});

test('while draining, answers are the last on their connection and idle connections close', async () => {
  rig.app.answers(okAnswer);
  const idle = new RawClient(rig.sidecar.inbound);
  idle.send(get('/'));
  await idle.reads('\r\n\r\nok');
  let answer = (): void => {};
  rig.app.onData = ({ socket }) => {
    answer = () => socket.write(okAnswer);
  };
  rig.client.send(get('/slow'));
  await until(() => rig.app.received.includes('/slow'), { what: 'the request arrives' });
  rig.sidecar.sidecar.drain();
  await idle.readsAll();
  answer();
  expect(await rig.client.readsAll()).toMatch(/Connection: close\r\n\r\nok$/);
});
