/**
 * The PROXY v2 header in front of a real sidecar: the client that it names is the one that limits and logs see, before
 * plain text and before TLS; a connection without it gets nothing.
 */
import http2 from 'node:http2';
import net from 'node:net';
import tls from 'node:tls';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createLog, type LogFields } from '../../proto/kernel/log-format.ts';
import { awaitProxyHeader } from '../../sidecar/io/proxy-header.ts';
import { TlsStats } from '../../sidecar/io/tls/tls-stats.ts';
import { Authority, writePair } from '../support/certificates.ts';
import { type HttpApp, startHttpApp } from '../support/http-app.ts';
import { type RunningSidecar, startSidecar } from '../support/sidecar.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

const folder = tempDir('proxy-protocol');
const authority = new Authority('mesh');
const server = writePair(folder.path, 'server', authority.issue({ dns: ['app.test'] }));
const oneEach =
  'apiVersion: weir.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: { name: app }\nspec:\n  target: { service: app }\n' +
  '  inbound: { rateLimits: [{ name: each, scope: perProxy, key: { address: {} }, rate: 1/m, burst: 1 }] }\n';

let app: HttpApp;
let sidecar: RunningSidecar | undefined;

beforeAll(async () => {
  app = await startHttpApp();
});

afterEach(async () => {
  await sidecar?.stop();
  sidecar = undefined;
});

afterAll(async () => {
  await app.stop();
  folder.remove();
});

/** The sockets and lines of a sidecar that expects the header. */
async function start(...argv: string[]): Promise<{ port: number; lines: LogFields[] }> {
  const lines: LogFields[] = [];
  const log = createLog('info', ({ msg, fields }) => {
    if (msg === 'request') lines.push(fields ?? {});
  });
  const settings = ['--app', app.address, '--app-protocol', 'http1', '--proxy-protocol', '--access-log-sample', '1'];
  sidecar = await startSidecar({ argv: [...settings, ...argv], policy: oneEach, log });
  return { port: Number(sidecar.inbound.split(':').at(-1)), lines };
}

function header(client: readonly number[]): Buffer {
  const ports = [0x30, 0x39, 0x01, 0xbb];
  const fixed = Buffer.from('0d0a0d0a000d0a515549540a2111000c', 'hex');
  return Buffer.concat([fixed, Buffer.from([...client, 127, 0, 0, 1, ...ports])]);
}

const local = Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex');
const request = 'GET / HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n';

/** Sends the parts one by one, each once the one before is with the kernel; resolves with all that comes back. */
async function exchange(port: number, ...parts: (string | Buffer)[]): Promise<string> {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
  let answer = '';
  socket.on('data', (part) => {
    answer += String(part);
  });
  socket.on('error', () => {});
  const closed = new Promise((resolve) => socket.once('close', resolve));
  for (const part of parts) await new Promise((resolve) => socket.write(part, resolve));
  await closed;
  return answer.slice(0, 12);
}

async function counted(result: string): Promise<number> {
  const text = await (await fetch(`http://${sidecar?.metrics}/metrics`)).text();
  return Number(new RegExp(`^weir_proxy_protocol_headers_total\\{result="${result}"\\} (.*)$`, 'm').exec(text)?.[1]);
}

test('the client that the header names has its own limit and its name in the log, HTTP/1.1 and HTTP/2', async () => {
  const { port, lines } = await start();
  const one = header([203, 0, 113, 1]);
  expect(await exchange(port, Buffer.concat([one, Buffer.from(request)]))).toBe('HTTP/1.1 200');
  expect(await exchange(port, one.subarray(0, 7), one.subarray(7), request)).toBe('HTTP/1.1 429');
  expect(await exchange(port, local, request)).toBe('HTTP/1.1 200');
  const socket = net.connect(port, '127.0.0.1');
  socket.write(header([203, 0, 113, 2]));
  const session = http2.connect('http://app.test', { createConnection: () => socket });
  const status = await new Promise((resolve) =>
    session.request({ ':path': '/' }).once('response', (headers) => resolve(headers[':status'])),
  );
  session.destroy();
  expect(status).toBe(200);
  await until(() => lines.length === 4, { what: 'four requests are logged' });
  expect(lines.map(({ from }) => from)).toEqual(['203.0.113.1', '203.0.113.1', '127.0.0.1', '203.0.113.2']);
  expect([await counted('proxied'), await counted('local')]).toEqual([3, 1]);
});

test.each([
  ['in one piece with the handshake', true],
  ['in a segment of its own', false],
])('before TLS, %s', async (_name, inOnePiece) => {
  const { port, lines } = await start('--tls-cert-file', server.cert, '--tls-key-file', server.key);
  const raw = net.connect({ port, host: '127.0.0.1', noDelay: true });
  if (inOnePiece) raw.cork();
  raw.write(header([203, 0, 113, 9]));
  const socket = tls.connect({ socket: raw, servername: 'app.test', ca: authority.cert });
  raw.uncork();
  socket.write(request);
  let answer = '';
  for await (const part of socket) answer += String(part);
  expect(answer).toMatch(/^HTTP\/1.1 200/);
  expect(lines.map(({ from }) => from)).toEqual(['203.0.113.9']);
});

test('without the header, or with the text form, the connection is closed and counted', async () => {
  const { port, lines } = await start();
  expect(await exchange(port, request)).toBe('');
  expect(await exchange(port, `PROXY TCP4 203.0.113.1 127.0.0.1 1 2\r\n${request}`)).toBe('');
  await until(async () => (await counted('malformed')) === 2, { what: 'both are counted' });
  expect(lines).toEqual([]);
});

test('a header that does not come in time closes the connection', async () => {
  const stats = new TlsStats();
  const listening = net.createServer((socket) => awaitProxyHeader(socket, stats, () => {}, 30));
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  const address = listening.address();
  expect(await exchange(typeof address === 'object' && address ? address.port : 0, local.subarray(0, 15))).toBe('');
  expect(stats.proxyHeaders.get('timeout')).toBe(1);
  await new Promise((resolve) => listening.close(resolve));
});
