/**
 * TLS toward other services and toward the app, through real sidecars: who must prove what to whom, over HTTP/2 and
 * HTTP/1.1, and that an endpoint which cannot prove it gets no request.
 */
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import tls from 'node:tls';
import { afterAll, afterEach, expect, test } from 'vitest';
import { createLog, type LogFields } from '../../proto/kernel/log-format.ts';
import { Authority, type Pair, type PairFiles, writePair, writePem } from '../support/certificates.ts';
import { startHttpApp } from '../support/http-app.ts';
import { type RunningSidecar, startSidecar } from '../support/sidecar.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

const folder = tempDir('tls-upstream');
const mesh = new Authority('mesh');
const meshFile = writePem(folder.path, 'mesh.pem', mesh.cert);
const payments = mesh.issue({ dns: ['payments.shop.svc.cluster.local'], uris: ['spiffe://mesh/shop/payments'] });
const orders = writePair(folder.path, 'orders', mesh.issue({ uris: ['spiffe://mesh/shop/orders'] }));

const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(() => folder.remove());

async function sidecarWith(argv: readonly string[], log?: (fields: LogFields) => void): Promise<RunningSidecar> {
  const onLine = ({ msg, fields }: { msg: string; fields?: LogFields }): void => {
    if (msg === 'request') log?.(fields ?? {});
  };
  const sidecar = await startSidecar({ argv: ['--access-log-sample', '1', ...argv], log: createLog('info', onLine) });
  closing.push(() => sidecar.stop());
  return sidecar;
}

/** Requests that bare endpoints saw in the test. */
let served = 0;

/** A bare TLS server that answers in either protocol, or only in the old one; its address. */
async function endpoint(pair: Pair, speaks: 'both' | 'http1' = 'both'): Promise<string> {
  served = 0;
  const onRequest = (_request: unknown, response: { end(): unknown }): void => {
    served++;
    response.end();
  };
  if (speaks === 'http1') return listening(https.createServer({ ...pair }, onRequest));
  return listening(http2.createSecureServer({ ...pair, allowHTTP1: true }, onRequest));
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', (socket) => sockets.add(socket));
  closing.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  const { port }: AddressInfo = Object.assign({ address: '', family: '', port: 0 }, server.address());
  return `127.0.0.1:${port}`;
}

interface Answer {
  readonly status: number;
  readonly reason: string | undefined;
}

async function overHttp2(at: string, authority: string): Promise<Answer> {
  const session = http2.connect(`http://${at}`);
  const stream = session.request({ ':authority': authority, ':path': '/' });
  const headers = await new Promise<http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader>((resolve, reject) => {
    stream.once('response', resolve);
    stream.once('error', reject);
  });
  session.destroy();
  return { status: headers[':status'] ?? 0, reason: headers['weir-reason']?.toString() };
}

async function overHttp1(at: string, authority: string): Promise<Answer> {
  const [host, port] = at.split(':');
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    const request = http.get({ host, port, path: '/', agent: false, headers: { host: authority } }, resolve);
    request.once('error', reject);
  });
  response.resume();
  return { status: response.statusCode ?? 0, reason: response.headers['weir-reason']?.toString() };
}

const ok: Answer = { status: 200, reason: undefined };
const unreachable: Answer = { status: 503, reason: 'upstream_connect' };

async function handshakes(sidecar: RunningSidecar, result: string): Promise<number> {
  const text = await (await fetch(`http://${sidecar.metrics}/metrics`)).text();
  const name = `weir_tls_handshakes_total{side="upstream",result="${result}"} `;
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(name))
      ?.slice(name.length),
  );
}

const toServices = ['--upstream-tls', '--upstream-tls-ca-file', meshFile];
const asOrders = ['--upstream-tls-cert-file', orders.cert, '--upstream-tls-key-file', orders.key];

test('two sidecars with mutual TLS: the caller is known by name, HTTP/2 and HTTP/1.1, and reuses its connections', async () => {
  const app = await startHttpApp();
  closing.push(() => app.stop());
  const { cert, key } = writePair(folder.path, 'payments', payments);
  const identities: unknown[] = [];
  const callee = await sidecarWith(
    [
      ...['--app', app.address, '--app-protocol', 'http1', '--service', 'shop/payments'],
      ...['--tls-cert-file', cert, '--tls-key-file', key, '--tls-client-ca-file', meshFile],
    ],
    ({ identity }) => identities.push(identity),
  );
  const caller = await sidecarWith([...toServices, ...asOrders, '--endpoint', `shop/payments=${callee.inbound}`]);
  for (let round = 0; round < 2; round++) {
    expect(await overHttp2(caller.outbound, 'payments.shop')).toEqual(ok);
    expect(await overHttp1(caller.outbound, 'payments.shop')).toEqual(ok);
  }
  await until(() => identities.length === 4, { what: 'four requests are logged' });
  expect(new Set(identities)).toEqual(new Set(['spiffe://mesh/shop/orders']));
  expect(await handshakes(caller, 'full')).toBe(2);

  const stranger = await sidecarWith([...toServices, '--endpoint', `shop/payments=${callee.inbound}`]);
  expect((await overHttp2(stranger.outbound, 'payments.shop')).status).toBe(503);
  expect(identities).toHaveLength(4);
});

test('two sidecars with mutual TLS carry 4 bodies of 4 MB both ways at once, whole', async () => {
  const app = await startHttpApp();
  closing.push(() => app.stop());
  const { cert, key } = writePair(folder.path, 'payments', payments);
  const callee = await sidecarWith([
    ...['--app', app.address, '--app-protocol', 'http1', '--service', 'shop/payments'],
    ...['--tls-cert-file', cert, '--tls-key-file', key, '--tls-client-ca-file', meshFile],
  ]);
  const caller = await sidecarWith([...toServices, ...asOrders, '--endpoint', `shop/payments=${callee.inbound}`]);
  // node's client gives streams up when more than 10 MB wait in it.
  const session = http2.connect(`http://${caller.outbound}`, { maxSessionMemory: 100 });
  const echoes = [1, 2, 3, 4].map(async (seed) => {
    const body = Buffer.alloc(4_000_000);
    for (let i = 0; i < body.length; i += 4) body.writeUInt32LE((i * seed) >>> 0, i);
    const stream = session.request({ ':authority': 'payments.shop', ':path': '/', ':method': 'POST' });
    stream.end(body);
    const parts: Buffer[] = [];
    for await (const part of stream) parts.push(part);
    return Buffer.concat(parts).equals(body);
  });
  expect(await Promise.all(echoes)).toEqual([true, true, true, true]);
  session.destroy();
});

test('an endpoint with the certificate of another service gets no request', async () => {
  const at = await endpoint(mesh.issue({ dns: ['orders.shop.svc.cluster.local'] }));
  const sidecar = await sidecarWith([...toServices, '--endpoint', `shop/payments=${at}`]);
  expect(await overHttp2(sidecar.outbound, 'payments.shop')).toEqual(unreachable);
  expect((await overHttp1(sidecar.outbound, 'payments.shop')).status).toBe(503);
  expect(await handshakes(sidecar, 'certificate')).toBeGreaterThanOrEqual(2);
  expect(await handshakes(sidecar, 'full')).toBe(0);
  expect(served).toBe(0);
});

test('an endpoint under another authority, in plain text, or without h2 is unreachable', async () => {
  const foreign = await endpoint(new Authority('other').issue({ dns: ['payments.shop.svc.cluster.local'] }));
  const plain = await listening(http.createServer((_request, response) => response.end()));
  const noHttp2 = await endpoint(payments, 'http1');
  const sidecar = await sidecarWith([
    ...toServices,
    ...['--upstream-tls-identity', 'any'],
    ...['--endpoint', `shop/foreign=${foreign}`, '--endpoint', `shop/plain=${plain}`],
    ...['--endpoint', `shop/old=${noHttp2}`],
  ]);
  expect(await overHttp2(sidecar.outbound, 'foreign.shop')).toEqual(unreachable);
  expect(await overHttp2(sidecar.outbound, 'plain.shop')).toEqual(unreachable);
  expect(await overHttp2(sidecar.outbound, 'old.shop')).toEqual(unreachable);
  expect(await overHttp1(sidecar.outbound, 'old.shop')).toEqual(ok);
  expect(await handshakes(sidecar, 'certificate')).toBeGreaterThanOrEqual(1);
  expect(await handshakes(sidecar, 'plain_text')).toBeGreaterThanOrEqual(1);
});

test('one address, two services: a connection proved for one is not used for the other', async () => {
  const at = await endpoint(payments);
  const sidecar = await sidecarWith([
    ...[...toServices, '--upstream-tls-identity', 'spiffe://mesh/{namespace}/{service}'],
    ...['--endpoint', `shop/payments=${at}`, '--endpoint', `shop/refunds=${at}`],
  ]);
  expect(await overHttp2(sidecar.outbound, 'payments.shop')).toEqual(ok);
  expect(await overHttp2(sidecar.outbound, 'refunds.shop')).toEqual(unreachable);
});

test.each([
  ['by the IP address in --app', { ips: ['127.0.0.1'] }, [], ok],
  ['by the name in --app-tls-name', { dns: ['app.internal'] }, ['--app-tls-name', 'app.internal'], ok],
  ['with a name that nobody asked for', { dns: ['app.internal'] }, [], unreachable],
])('an app over TLS is spoken to in the caller’s protocol, known %s', async (_name, names, argv, expected) => {
  const at = await endpoint(mesh.issue(names));
  const sidecar = await sidecarWith(['--app', `tls://${at}`, '--app-tls-ca-file', meshFile, ...argv]);
  expect(await overHttp2(sidecar.inbound, 'x')).toEqual(expected);
  expect((await overHttp1(sidecar.inbound, 'x')).status).toBe(expected.status);
});

test('an app over TLS that is named by a host name with several addresses', async () => {
  const at = await endpoint(mesh.issue({ dns: ['localhost'] }));
  const app = `tls://localhost:${at.split(':')[1]}`;
  const sidecar = await sidecarWith(['--app', app, '--app-tls-ca-file', meshFile]);
  expect(await overHttp2(sidecar.inbound, 'x')).toEqual(ok);
});

test('a new client certificate is shown on connections dialled after it, those that stand go on', async () => {
  const shown: string[] = [];
  const web = http2.createSecureServer({ ...payments, ca: mesh.cert, requestCert: true }, (request, response) => {
    if (request.socket instanceof tls.TLSSocket) {
      shown.push(request.socket.getPeerX509Certificate()?.subjectAltName ?? '');
    }
    response.end();
  });
  const sessions: http2.ServerHttp2Session[] = [];
  web.on('session', (session) => sessions.push(session));
  const at = await listening(web);
  const ours: PairFiles = writePair(folder.path, 'ours', mesh.issue({ uris: ['spiffe://mesh/shop/one'] }));
  const sidecar = await sidecarWith([
    ...[...toServices, '--upstream-tls-cert-file', ours.cert, '--upstream-tls-key-file', ours.key],
    ...['--tls-reload-interval', '100ms', '--endpoint', `shop/payments=${at}`],
  ]);
  expect(await overHttp2(sidecar.outbound, 'payments.shop')).toEqual(ok);
  writePair(folder.path, 'ours', mesh.issue({ uris: ['spiffe://mesh/shop/two'] }));
  const reloaded = async (): Promise<boolean> => {
    const text = await (await fetch(`http://${sidecar.metrics}/metrics`)).text();
    return text.includes('weir_tls_certificate_reloads_total{use="upstream",result="taken"} 1');
  };
  await until(reloaded, { what: 'the new certificate is taken' });
  expect(await overHttp2(sidecar.outbound, 'payments.shop')).toEqual(ok);
  expect(sessions).toHaveLength(1);
  sessions[0]?.close();
  await until(
    async () => {
      await overHttp2(sidecar.outbound, 'payments.shop');
      return shown.includes('URI:spiffe://mesh/shop/two');
    },
    { what: 'the new certificate is shown' },
  );
  expect(shown.slice(0, 2)).toEqual(['URI:spiffe://mesh/shop/one', 'URI:spiffe://mesh/shop/one']);
});
