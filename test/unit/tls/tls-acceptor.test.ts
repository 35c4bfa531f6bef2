/** The bounds of handshakes, over real sockets, with small numbers in place of the real ones. */
import { randomBytes } from 'node:crypto';
import net from 'node:net';
import tls from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { TlsAcceptor, type TlsAcceptorOptions, ticketPeriodMs } from '../../../sidecar/io/tls/tls-acceptor.ts';
import { TlsStats } from '../../../sidecar/io/tls/tls-stats.ts';
import { Authority } from '../../support/certificates.ts';
import { until } from '../../support/until.ts';

const authority = new Authority('mesh');
const pair = authority.issue({ dns: ['app.test'] });
const sockets: net.Socket[] = [];
const servers: net.Server[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

interface Started {
  readonly acceptor: TlsAcceptor;
  readonly stats: TlsStats;
  readonly port: number;
}

async function start(options: Partial<TlsAcceptorOptions>): Promise<Started> {
  const stats = new TlsStats();
  const acceptor = new TlsAcceptor({ requireClientCertificate: false, stats, ...options });
  acceptor.apply({ ...pair, ca: undefined, expiresWallMs: undefined });
  const listening = net.createServer((socket) => {
    sockets.push(socket);
    acceptor.accept(socket, (secure) => secure.end('welcome'));
  });
  servers.push(listening);
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  const address = listening.address();
  return { acceptor, stats, port: typeof address === 'object' && address !== null ? address.port : 0 };
}

/** Connects and says nothing. */
function idle(port: number): net.Socket {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.resume();
  sockets.push(socket);
  return socket;
}

async function greeted(port: number): Promise<string> {
  const socket = tls.connect({ host: '127.0.0.1', port, servername: 'app.test', ca: authority.cert });
  sockets.push(socket);
  let text = '';
  for await (const part of socket) text += String(part);
  return text;
}

test('TlsAcceptor closes a handshake that takes too long, and counts it', async () => {
  const { acceptor, stats, port } = await start({ handshakeTimeoutMs: 50 });
  const socket = idle(port);
  await until(() => socket.destroyed, { what: 'the silent one is closed' });
  expect(stats.downstream.get('timeout')).toBe(1);
  expect(acceptor.pending).toBe(0);
});

test('TlsAcceptor at its bound closes the newcomer while the others are fresh', async () => {
  const { acceptor, stats, port } = await start({ handshakesMax: 2, handshakeGraceMs: 60_000 });
  idle(port);
  idle(port);
  await until(() => acceptor.pending === 2, { what: 'two handshakes are under way' });
  expect(await greeted(port).catch(() => '')).toBe('');
  expect(stats.downstream.get('handshakes_max')).toBe(1);
  expect(acceptor.pending).toBe(2);
});

test('TlsAcceptor at its bound pushes out the oldest that had its time, so idle strangers keep nobody out', async () => {
  const { acceptor, stats, port } = await start({ handshakesMax: 2, handshakeGraceMs: 0 });
  const [first, second] = [idle(port), idle(port)];
  await until(() => acceptor.pending === 2, { what: 'two handshakes are under way' });
  expect(await greeted(port)).toBe('welcome');
  await until(() => first.destroyed, { what: 'the oldest is closed' });
  expect(second.destroyed).toBe(false);
  expect(stats.downstream.get('handshakes_max')).toBe(1);
  expect(stats.downstream.get('full')).toBe(1);
  expect(acceptor.pending).toBe(1);
});

test('TlsAcceptor refuses to swap in certificates that TLS will not have, and goes on with the old', async () => {
  const { acceptor, port } = await start({});
  const broken = { cert: pair.cert, key: authority.issue({}).key, ca: undefined, expiresWallMs: undefined };
  expect(() => acceptor.apply(broken)).toThrow(/key values mismatch/);
  expect(await greeted(port)).toBe('welcome');
});

/** Shakes hands; the ticket for the next time, empty when there came none. */
function session(port: number, resume?: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, servername: 'app.test', ca: authority.cert, session: resume };
    const socket = tls.connect(options);
    sockets.push(socket);
    let ticket = Buffer.alloc(0);
    socket.on('session', (latest) => {
      ticket = latest;
    });
    socket.once('error', reject);
    socket.once('close', () => resolve(ticket));
    socket.resume();
  });
}

test('TlsAcceptor resumes sessions over a new certificate, but not over new authorities of clients', async () => {
  const { acceptor, stats, port } = await start({});
  const first = await session(port);
  acceptor.apply({ ...authority.issue({ dns: ['app.test'] }), ca: undefined, expiresWallMs: undefined });
  expect(first.length).toBeGreaterThan(0);
  await session(port, first);
  expect(stats.downstream.get('resumed')).toBe(1);
  acceptor.apply({ ...pair, ca: [new Authority('other').cert], expiresWallMs: undefined });
  await session(port, first);
  expect(stats.downstream.get('resumed')).toBe(1);
  expect(stats.downstream.get('full')).toBe(2);
});

test('TlsAcceptor takes no ticket of an earlier period, so that certificates are judged again', async () => {
  let wallMs = 5 * ticketPeriodMs;
  const { stats, port } = await start({ wallMs: () => wallMs });
  const first = await session(port);
  wallMs += ticketPeriodMs - 1;
  await session(port, first);
  expect([stats.downstream.get('full'), stats.downstream.get('resumed')]).toEqual([1, 1]);
  wallMs += 1;
  await session(port, first);
  expect([stats.downstream.get('full'), stats.downstream.get('resumed')]).toEqual([2, 1]);
});

test('TlsAcceptor resumes what another with its seed began, and nobody else', async () => {
  const ticketSeed = randomBytes(32);
  const first = await session((await start({ ticketSeed })).port);
  const same = await start({ ticketSeed });
  await session(same.port, first);
  expect(same.stats.downstream.get('resumed')).toBe(1);
  const other = await start({});
  await session(other.port, first);
  expect(other.stats.downstream.get('full')).toBe(1);
});

test('TlsAcceptor begins a few handshakes in a turn, and the others in the next ones', async () => {
  const stats = new TlsStats();
  const acceptor = new TlsAcceptor({ requireClientCertificate: false, stats, handshakesPerTurnMax: 2 });
  acceptor.apply({ ...pair, ca: undefined, expiresWallMs: undefined });
  const together: net.Socket[] = [];
  const waiting: number[] = [];
  const listening = net.createServer((socket) => {
    together.push(socket);
    if (together.length < 7) return;
    for (const one of together) {
      acceptor.accept(one, (secure) => secure.end('welcome'));
      waiting.push(acceptor.waitingCount);
    }
  });
  servers.push(listening);
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  const address = listening.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const greetings = await Promise.all(Array.from({ length: 7 }, () => greeted(port)));
  expect(greetings).toEqual(Array.from({ length: 7 }, () => 'welcome'));
  expect(waiting).toEqual([0, 0, 1, 2, 3, 4, 5]);
  expect(stats.downstream.get('full')).toBe(7);
});
