/**
 * TLS and mutual TLS in front of a real sidecar: what is spoken after the handshake, who gets through, what happens to
 * everybody else, and that new certificates come into force under open connections.
 */
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createLog, type LogFields } from '../../proto/kernel/log-format.ts';
import { Authority, writePair, writePem } from '../support/certificates.ts';
import { type HttpApp, startHttpApp } from '../support/http-app.ts';
import { type RunningSidecar, startSidecar } from '../support/sidecar.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

const folder = tempDir('tls');
const authority = new Authority('mesh');
const callers = new Authority('callers');
const server = writePair(folder.path, 'server', authority.issue({ dns: ['app.test'] }));
const callersFile = writePem(folder.path, 'callers.pem', callers.cert);
const caller = callers.issue({ dns: ['orders.shop.svc'], uris: ['spiffe://mesh/ns/shop/sa/orders'] });
const tlsArguments = ['--tls-cert-file', server.cert, '--tls-key-file', server.key];

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

interface Started {
  readonly sidecar: RunningSidecar;
  readonly port: number;
  readonly lines: { msg: string; fields: LogFields }[];
}

async function start(...argv: string[]): Promise<Started> {
  const lines: Started['lines'] = [];
  const log = createLog('info', ({ msg, fields }) => lines.push({ msg, fields: fields ?? {} }));
  const running = await startSidecar({
    argv: ['--app', app.address, '--app-protocol', 'http1', '--access-log-sample', '1', ...argv],
    log,
  });
  sidecar = running;
  return { sidecar: running, port: Number(running.inbound.split(':').at(-1)), lines };
}

function dial(port: number, options: tls.ConnectionOptions = {}): Promise<tls.TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host: '127.0.0.1', port, servername: 'app.test', ca: authority.cert, ...options });
    socket.once('secureConnect', () => resolve(socket));
    socket.once('error', reject);
  });
}

/** A request on a connection that speaks HTTP/1.1; the head of the answer. */
async function http1Get(socket: net.Socket): Promise<string> {
  socket.write('GET /one HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n');
  let answer = '';
  for await (const part of socket) answer += String(part);
  return answer;
}

async function http2Get(session: http2.ClientHttp2Session): Promise<number> {
  const stream = session.request({ ':path': '/two' });
  const status = new Promise<number>((resolve, reject) => {
    stream.once('response', (headers) => resolve(headers[':status'] ?? 0));
    stream.once('error', reject);
  });
  stream.resume();
  return status;
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`http://${sidecar?.metrics}/metrics`)).text();
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1));
}

const handshakes = (result: string) => metric(`weir_tls_handshakes_total{side="downstream",result="${result}"}`);

test('ALPN decides: h2 gets HTTP/2, http/1.1 and none get HTTP/1.1, TLS 1.3 before 1.2, others no connection', async () => {
  const { port } = await start(...tlsArguments);
  const session = http2.connect(`https://127.0.0.1:${port}`, { ca: authority.cert, servername: 'app.test' });
  expect(await http2Get(session)).toBe(200);
  session.destroy();
  const h1 = await dial(port, { ALPNProtocols: ['http/1.1'] });
  expect([h1.alpnProtocol, h1.getProtocol(), h1.getCipher().name]).toEqual([
    'http/1.1',
    'TLSv1.3',
    'TLS_AES_128_GCM_SHA256',
  ]);
  expect(await http1Get(h1)).toMatch(/^HTTP\/1.1 200 OK\r\n/);
  const none = await dial(port, { maxVersion: 'TLSv1.2' });
  expect([none.alpnProtocol, none.getProtocol()]).toEqual([false, 'TLSv1.2']);
  expect(await http1Get(none)).toContain('"url":"/one"');
  await expect(dial(port, { ALPNProtocols: ['spdy/3'] })).rejects.toThrow(/no application protocol/i);
  await expect(
    dial(port, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }),
  ).rejects.toThrow();
  await until(async () => (await handshakes('failed')) === 2, { what: 'both refusals are counted' });
  expect(await handshakes('full')).toBe(3);
});

test('a large body comes back whole over HTTP/2 and TLS', async () => {
  const { port } = await start(...tlsArguments);
  const session = http2.connect(`https://127.0.0.1:${port}`, { ca: authority.cert, servername: 'app.test' });
  const body = Buffer.alloc(3_000_000);
  for (let i = 0; i < body.length; i += 4) body.writeUInt32LE(i, i);
  const stream = session.request({ ':path': '/', ':method': 'POST' });
  stream.end(body);
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  session.destroy();
  expect(Buffer.concat(parts).equals(body)).toBe(true);
});

test('a reader over TLS that stops holds the writer, and gets everything when it goes on', async () => {
  const total = 64 * 1024 * 1024;
  const chunk = Buffer.alloc(65_536, 'x');
  let written = 0;
  const source = http.createServer((_request, response) => {
    const more = (): void => {
      while (written < total) {
        written += chunk.length;
        if (!response.write(chunk)) return;
      }
      response.end();
    };
    response.on('drain', more);
    more();
  });
  await new Promise<void>((resolve) => source.listen(0, '127.0.0.1', resolve));
  const address: AddressInfo = Object.assign({ address: '', family: '', port: 0 }, source.address());
  const running = await startSidecar({
    argv: ['--app', `127.0.0.1:${address.port}`, '--app-protocol', 'http1', ...tlsArguments],
  });
  sidecar = running;
  const session = http2.connect(`https://${running.inbound}`, { ca: authority.cert, servername: 'app.test' });
  const stream = session.request({ ':path': '/' });
  await new Promise((resolve) => stream.once('response', resolve));
  let seen = -1;
  const isStill = (): boolean => {
    const before = seen;
    seen = written;
    return before === written;
  };
  await until(isStill, { what: 'the writer is held', intervalMs: 300 });
  expect(written).toBeLessThan(total / 4);
  let bytes = 0;
  for await (const part of stream) bytes += part.length;
  expect(bytes).toBe(total);
  session.destroy();
  source.closeAllConnections();
  await new Promise((resolve) => source.close(resolve));
});

test('mutual TLS: a caller of our authority comes in under its name, nobody else does', async () => {
  const { port, lines } = await start(...tlsArguments, '--tls-client-ca-file', callersFile);
  const known = http2.connect(`https://127.0.0.1:${port}`, { ca: authority.cert, servername: 'app.test', ...caller });
  expect(await http2Get(known)).toBe(200);
  known.destroy();
  expect(await http1Get(await dial(port, { ...caller }))).toMatch(/^HTTP\/1.1 200/);
  const identities = lines.filter(({ msg }) => msg === 'request').map(({ fields }) => fields.identity);
  expect(identities).toEqual(['spiffe://mesh/ns/shop/sa/orders', 'spiffe://mesh/ns/shop/sa/orders']);

  // With TLS 1.3 the client learns only afterwards that it was turned away.
  const strangers: tls.ConnectionOptions[] = [{}, authority.issue({ uris: ['spiffe://mesh/ns/shop/sa/orders'] })];
  for (const stranger of strangers) {
    const answer = dial(port, stranger).then(http1Get);
    await expect(answer.catch((error: Error) => error.message)).resolves.not.toContain('HTTP/1.1');
  }
  await until(async () => (await handshakes('certificate')) === 2, { what: 'both strangers are counted' });
  expect(lines.filter(({ msg }) => msg === 'request')).toHaveLength(2);
});

test('a session is resumed, and the identity with it', async () => {
  const { port, lines } = await start(...tlsArguments, '--tls-client-ca-file', callersFile);
  const first = await dial(port, { ...caller });
  const ticket = new Promise<Buffer>((resolve) => first.once('session', resolve));
  await http1Get(first);
  const second = await dial(port, { ...caller, session: await ticket });
  expect(second.isSessionReused()).toBe(true);
  await http1Get(second);
  expect(await handshakes('resumed')).toBe(1);
  expect(lines.filter(({ msg }) => msg === 'request').map(({ fields }) => fields.identity)).toEqual([
    'spiffe://mesh/ns/shop/sa/orders',
    'spiffe://mesh/ns/shop/sa/orders',
  ]);
});

test.each([
  ['HTTP/1.1', 'GET / HTTP/1.1\r\nhost: app\r\n\r\n'],
  ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['neither', 'hello\r\n'],
])('plain text (%s) on a TLS port is closed at once and counted', async (_name, text) => {
  const { port } = await start(...tlsArguments);
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(text);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.resume();
  await closed;
  await until(async () => (await handshakes('plain_text')) === 1, { what: 'it is counted as plain text' });
});

test('a new pair behind a swapped symlink serves new connections, open ones stay; a broken pair changes nothing', async () => {
  const at = (name: string): string => join(folder.path, name);
  // As the kubelet does it: tls.crt → ..data/tls.crt, ..data → a folder, and the swap renames one link over the other.
  const publish = (version: string, cert: string, key: string): void => {
    mkdirSync(at(version));
    writeFileSync(at(`${version}/tls.crt`), cert);
    writeFileSync(at(`${version}/tls.key`), key);
    symlinkSync(version, at('..data_tmp'));
    renameSync(at('..data_tmp'), at('..data'));
  };
  const [one, two] = [authority.issue({ dns: ['app.test', 'one'] }), authority.issue({ dns: ['app.test', 'two'] })];
  publish('v1', one.cert, one.key);
  symlinkSync('..data/tls.crt', at('tls.crt'));
  symlinkSync('..data/tls.key', at('tls.key'));
  const files = ['--tls-cert-file', at('tls.crt'), '--tls-key-file', at('tls.key'), '--tls-reload-interval', '100ms'];
  const { port, lines } = await start(...files);
  const served = async (): Promise<string> => {
    const socket = await dial(port);
    const names = socket.getPeerX509Certificate()?.subjectAltName ?? '';
    socket.destroy();
    return names;
  };
  expect(await served()).toBe('DNS:app.test, DNS:one');
  const session = http2.connect(`https://127.0.0.1:${port}`, { ca: authority.cert, servername: 'app.test' });
  expect(await http2Get(session)).toBe(200);

  publish('v2', two.cert, two.key);
  await until(async () => (await served()) === 'DNS:app.test, DNS:two', { what: 'the new certificate is served' });
  expect(await http2Get(session)).toBe(200);

  publish('v3', one.cert, two.key);
  const reloads = (result: string) => metric(`weir_tls_certificate_reloads_total{use="inbound",result="${result}"}`);
  await until(async () => (await reloads('refused')) === 1, { what: 'the broken pair is refused' });
  expect(await served()).toBe('DNS:app.test, DNS:two');
  expect(await http2Get(session)).toBe(200);
  session.destroy();
  expect(await reloads('taken')).toBe(1);
  expect(lines.filter(({ msg }) => msg.startsWith('certificate')).map(({ fields }) => fields.error)).toEqual([
    undefined,
    `--tls-key-file ${at('tls.key')}: is not the key of the certificate in ${at('tls.crt')}`,
  ]);
});

test('when the certificate expires is visible in metrics and stats', async () => {
  const pair = writePair(
    folder.path,
    'brief',
    authority.issue({ dns: ['x'], notAfter: new Date('2031-05-06T07:08:09Z') }),
  );
  await start('--tls-cert-file', pair.cert, '--tls-key-file', pair.key);
  const expiresMs = Date.UTC(2031, 4, 6, 7, 8, 9);
  expect(await metric('weir_tls_certificate_expiry_timestamp_seconds{use="inbound"}')).toBe(expiresMs / 1000);
  const stats: unknown = await (await fetch(`http://${sidecar?.admin}/stats`)).json();
  expect(stats).toMatchObject({
    tls: { certificates: [{ use: 'inbound', expiresWallMs: expiresMs, reloads: 0, failures: 0 }] },
  });
});

test('it stops while handshakes are under way', async () => {
  const { port } = await start(...tlsArguments);
  const socket = net.connect(port, '127.0.0.1');
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.on('error', () => {});
  await until(async () => (await metric('weir_connections')) >= 0 && !socket.connecting, { what: 'connected' });
  await sidecar?.stop();
  sidecar = undefined;
  await closed;
});
