/**
 * MAX_CONCURRENT_STREAMS on real sockets: between two sidecars it follows the limit and the queue, and no stream under way
 * is refused; toward everybody else nothing changes.
 */
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { FrameType, SettingId } from '../../sidecar/http2/constants.ts';
import { type RunningSidecar, startSidecar } from '../support/sidecar.ts';
import { until } from '../support/until.ts';
import { framesOf } from '../support/wire.ts';

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function portOf(server: net.Server | http.Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function listening<Server extends net.Server>(server: Server): Promise<Server> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

/** An app that answers when it is told to. */
async function hangingApp(): Promise<{ address: string; waiting: http.ServerResponse[]; answerAll(): void }> {
  const waiting: http.ServerResponse[] = [];
  const server = await listening(http.createServer((_, response) => void waiting.push(response)));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const answerAll = (): void => {
    for (const response of waiting.splice(0)) response.end('ok');
  };
  return { address: `127.0.0.1:${portOf(server)}`, waiting, answerAll };
}

/** Passes bytes both ways and keeps what the server sent on each connection. */
async function tap(to: string): Promise<{ address: string; fromServer: Buffer[] }> {
  const fromServer: Buffer[] = [];
  const [host, port] = to.split(':');
  const server = await listening(
    net.createServer((client) => {
      const at = fromServer.push(Buffer.alloc(0)) - 1;
      const upstream = net.connect(Number(port), host);
      for (const socket of [client, upstream]) socket.on('error', () => {});
      client.pipe(upstream).pipe(client);
      upstream.on('data', (part: Buffer) => {
        fromServer[at] = Buffer.concat([fromServer[at]!, part]);
      });
      closers.push(() => [client, upstream].map((socket) => socket.destroy()));
    }),
  );
  closers.push(() => server.close());
  return { address: `127.0.0.1:${portOf(server)}`, fromServer };
}

/** What a server announced on a connection, in turn. */
function announced(bytes: Buffer): number[] {
  const said: number[] = [];
  for (const { type, flags, payload } of framesOf(bytes)) {
    if (type !== FrameType.settings || flags !== 0) continue;
    for (let at = 0; at < payload.length; at += 6) {
      if (payload.readUInt16BE(at) === SettingId.maxConcurrentStreams) said.push(payload.readUInt32BE(at + 2));
    }
  }
  return said;
}

const policyOf = (limit: number, requestsMax: number): string => `
apiVersion: weir.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: orders, namespace: shop }
spec:
  target: { service: orders }
  inbound:
    concurrency: { fixed: { limit: ${limit} } }
    queue: { discipline: fifo, requestsMax: ${requestsMax}, waitMax: 10s }
`;

async function calleeOf(app: string, policy: string): Promise<RunningSidecar> {
  const sidecar = await startSidecar({
    argv: ['--service', 'shop/orders', '--app', app, '--app-protocol', 'http1'],
    policy,
  });
  closers.push(() => sidecar.stop());
  return sidecar;
}

describe('between two sidecars', () => {
  test('the streams of a connection follow the limit and the queue, and none is refused that they have room for', async () => {
    const app = await hangingApp();
    const callee = await calleeOf(app.address, policyOf(40, 30));
    const wire = await tap(callee.inbound);
    const caller = await startSidecar({
      argv: ['--service', 'shop/web', '--endpoint', `shop/orders=${wire.address}`],
    });
    closers.push(() => caller.stop());
    const session = http2.connect(`http://${caller.outbound}`);
    session.on('error', () => {});
    closers.push(() => session.destroy());
    const statuses: number[] = [];
    const get = (): void => {
      const stream = session.request({ ':path': '/', ':authority': 'orders.shop' });
      stream.on('error', () => {});
      stream.on('response', (head) => statuses.push(head[':status'] ?? 0));
      stream.resume();
    };
    for (let i = 0; i < 60; i++) get();
    await until(() => app.waiting.length === 40, { what: 'the app is full' });
    await until(() => announced(wire.fromServer[0]!).includes(70), { what: 'limit and queue are announced' });
    // What is under way was opened under the greeting's bound, and more than the app and the queue hold is refused by name.
    for (let i = 0; i < 20; i++) get();
    await until(() => statuses.length === 10, { what: 'those beyond the queue are refused' });
    expect(statuses.splice(0)).toEqual(Array.from({ length: 10 }, () => 503));
    while (statuses.length < 70) {
      app.answerAll();
      await until(() => app.waiting.length > 0 || statuses.length === 70, { what: 'the next ones' });
    }
    expect(statuses).toEqual(Array.from({ length: 70 }, () => 200));
    expect(announced(wire.fromServer[0]!)).toEqual([250, 70]);
    expect(wire.fromServer.flatMap(framesOf).some(({ type }) => type === FrameType.rstStream)).toBe(false);
  });
});

describe('toward others', () => {
  test('the streams that a connection may have stay as they are', async () => {
    const app = await hangingApp();
    const callee = await calleeOf(app.address, policyOf(4, 4));
    const wire = await tap(callee.inbound);
    const session = http2.connect(`http://${wire.address}`);
    session.on('error', () => {});
    closers.push(() => session.destroy());
    const seen: number[] = [];
    session.on('remoteSettings', (settings) => seen.push(settings.maxConcurrentStreams ?? 0));
    session.request({ ':path': '/', ':authority': 'orders.shop' }).resume();
    await until(() => app.waiting.length === 1, { what: 'a request is under way' });
    const startedMs = performance.now();
    // Longer than an announcement would take.
    await until(() => performance.now() - startedMs > 1500, { what: 'time passes' });
    expect([seen, announced(wire.fromServer[0]!)]).toEqual([[250], [250]]);
  });
});
