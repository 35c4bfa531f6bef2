/** Sessions that a dialler keeps: resumed for the same address, judged anew after an hour or with new certificates. */
import type net from 'node:net';
import tls from 'node:tls';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createLog } from '../../../proto/kernel/log-format.ts';
import { clock } from '../../../sidecar/io/clock.ts';
import { TlsStats } from '../../../sidecar/io/tls/tls-stats.ts';
import { sessionAgeMaxMs, UpstreamTls } from '../../../sidecar/io/tls/upstream-tls.ts';
import { connectSocket, whenUsable } from '../../../sidecar/io/upstream/connect-socket.ts';
import { addressOverTls } from '../../../sidecar/routing/address.ts';
import { Authority } from '../../support/certificates.ts';

const authority = new Authority('mesh');
const trusted = { cert: undefined, key: undefined, ca: [authority.cert], expiresWallMs: undefined };
const server = tls.createServer({
  ...authority.issue({ dns: ['payments.shop.svc', 'refunds.shop.svc'] }),
  ALPNProtocols: ['h2'],
});
server.on('secureConnection', (socket) => socket.end('hello'));

let at = '';
let stats: TlsStats;
let upstream: UpstreamTls;
let lines: unknown[];

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  at = `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

beforeEach(() => {
  clock.nowMs = 1000;
  stats = new TlsStats();
  lines = [];
  const log = createLog('warn', ({ msg, fields }) => lines.push([msg, fields?.upstream, fields?.error]));
  upstream = new UpstreamTls({ identities: ['{service}.{namespace}.svc'], appName: '', stats, log });
  upstream.applyServices(trusted);
});

/** One connection to the end; whether requests could have gone. */
function visit(service: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket: net.Socket = connectSocket(addressOverTls(service, at), { protocol: 'h2', tls: upstream });
    let isUsable = false;
    whenUsable(socket, () => {
      isUsable = true;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(isUsable));
    socket.resume();
  });
}

const counts = (): unknown[] => [stats.upstream.get('full'), stats.upstream.get('resumed')];

test('the second connection resumes the first, for the same service only', async () => {
  expect(await visit('shop/payments')).toBe(true);
  expect(await visit('shop/payments')).toBe(true);
  expect(counts()).toEqual([1, 1]);
  expect(await visit('shop/refunds')).toBe(true);
  expect(counts()).toEqual([2, 1]);
  expect(await visit('shop/orders')).toBe(false);
  expect(stats.upstream.get('certificate')).toBe(1);
  expect(lines).toEqual([
    [
      'TLS with an upstream failed',
      `tls://shop/orders@${at}`,
      'the certificate is for "DNS:payments.shop.svc, DNS:refunds.shop.svc", not for orders.shop.svc',
    ],
  ]);
});

test('an hour after the certificate was judged it is judged again, however often the session was resumed', async () => {
  await visit('shop/payments');
  clock.nowMs += sessionAgeMaxMs - 1;
  await visit('shop/payments');
  expect(counts()).toEqual([1, 1]);
  clock.nowMs += 1;
  await visit('shop/payments');
  expect(counts()).toEqual([2, 1]);
});

test('new certificates of ours end all sessions', async () => {
  await visit('shop/payments');
  upstream.applyServices(trusted);
  await visit('shop/payments');
  expect(counts()).toEqual([2, 0]);
});
