/**
 * Credit on drain where HTTP/1.1 is on one side or on both: a reader that stops stops the writer, whatever lies between
 * them, and everything arrives in the end. "Stopped" is what the kernel's socket buffers hold on the way, and nothing
 * like the 64 MiB that are to come.
 */
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import type { Writable } from 'node:stream';
import { afterEach, expect, test } from 'vitest';
import { type RunningSidecar, startSidecar } from '../support/sidecar.ts';
import { until } from '../support/until.ts';

const totalBytes = 64 * 1024 * 1024;
/** Four socket buffers of up to 4 MiB each (two sockets, both ends), as Linux grows them by itself. */
const kernelBytesMax = 20 * 1024 * 1024;
/** One window of 64 KiB and what was read beyond it at once. */
const heldBytesMax = 256 * 1024;
const chunk = Buffer.alloc(65_536, 'x');

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Writes everything, as fast as the other side takes it. */
class Source {
  written = 0;

  constructor(out: Writable) {
    const push = (): void => {
      while (this.written < totalBytes) {
        this.written += chunk.length;
        if (!out.write(chunk)) {
          out.once('drain', push);
          return;
        }
      }
      out.end();
    };
    push();
  }
}

function portOf(server: net.Server | http2.Http2Server): number {
  const address = server.address();
  return address !== null && typeof address === 'object' ? address.port : 0;
}

async function listening<T extends net.Server | http2.Http2Server>(server: T): Promise<T> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
  return server;
}

async function sidecarTo(server: net.Server | http2.Http2Server, protocol: string): Promise<RunningSidecar> {
  const sidecar = await startSidecar({ argv: ['--app', `127.0.0.1:${portOf(server)}`, '--app-protocol', protocol] });
  closers.push(() => sidecar.stop());
  return sidecar;
}

function connect(address: string): net.Socket {
  const [host, port] = address.split(':');
  const socket = net.connect({ host, port: Number(port), allowHalfOpen: true });
  closers.push(() => socket.destroy());
  return socket;
}

/** Waits until the source makes no more progress, and checks how far it came. */
async function stops(source: () => Source | undefined): Promise<void> {
  let before = -1;
  await until(
    () => {
      const now = source()?.written ?? 0;
      const isStill = now > 0 && now === before;
      before = now;
      return isStill;
    },
    { what: 'the source stops', intervalMs: 150 },
  );
  expect(before).toBeLessThan(kernelBytesMax);
}

/** What waiting content pins in the sidecar, bytes. */
async function heldBy(sidecar: RunningSidecar): Promise<number> {
  const stats: unknown = await (await fetch(`http://${sidecar.admin}/stats`)).json();
  const flow = typeof stats === 'object' && stats !== null && 'flowControl' in stats ? stats.flowControl : null;
  if (typeof flow !== 'object' || flow === null || !('usedBytes' in flow)) throw new Error('no flowControl in /stats');
  return Number(flow.usedBytes);
}

/** Reads the rest and answers how much content there was, chunk framing aside. */
async function readsRest(socket: net.Socket, isDone: (received: number) => boolean): Promise<number> {
  let received = 0;
  socket.on('data', (bytes: Buffer) => {
    for (let at = bytes.indexOf(0x78); at >= 0; ) {
      let end = at;
      while (end < bytes.length && bytes[end] === 0x78) end++;
      received += end - at;
      at = bytes.indexOf(0x78, end);
    }
  });
  socket.resume();
  await until(() => isDone(received), { what: 'everything arrives', timeoutMs: 20_000 });
  return received;
}

test('a slow HTTP/1.1 reader stops an HTTP/1.1 app', async () => {
  let source: Source | undefined;
  const app = await listening(
    http.createServer((_request, response) => {
      source = new Source(response);
    }),
  );
  const sidecar = await sidecarTo(app, 'http1');
  const socket = connect(sidecar.inbound);
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await stops(() => source);
  expect(await heldBy(sidecar)).toBeLessThanOrEqual(heldBytesMax);
  expect(await readsRest(socket, (received) => received >= totalBytes)).toBe(totalBytes);
});

test('a slow HTTP/1.1 reader stops an HTTP/2 app', async () => {
  let source: Source | undefined;
  const app = await listening(
    http2.createServer((_request, response) => {
      source = new Source(response);
    }),
  );
  const sidecar = await sidecarTo(app, 'http2');
  const socket = connect(sidecar.inbound);
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await stops(() => source);
  expect(await readsRest(socket, (received) => received >= totalBytes)).toBe(totalBytes);
});

test('a slow HTTP/2 reader stops an HTTP/1.1 app', async () => {
  let source: Source | undefined;
  const app = await listening(
    http.createServer((_request, response) => {
      source = new Source(response);
    }),
  );
  const sidecar = await sidecarTo(app, 'http1');
  const session = http2.connect(`http://${sidecar.inbound}`);
  closers.push(() => session.destroy());
  const stream = session.request({ ':path': '/' });
  await stops(() => source);
  let received = 0;
  stream.on('data', (bytes: Buffer) => {
    received += bytes.length;
  });
  await until(() => received === totalBytes, { what: 'everything arrives', timeoutMs: 20_000 });
});

test('a slow HTTP/1.1 app stops an HTTP/1.1 caller', async () => {
  let request: http.IncomingMessage | undefined;
  const app = await listening(
    http.createServer((incoming, response) => {
      request = incoming;
      incoming.on('end', () => response.end('done'));
    }),
  );
  const sidecar = await sidecarTo(app, 'http1');
  const upload = http.request(`http://${sidecar.inbound}/`, { method: 'POST' });
  upload.on('error', () => {});
  closers.push(() => upload.destroy());
  const source = new Source(upload);
  await until(() => request, { what: 'the request arrives' });
  await stops(() => source);
  let received = 0;
  request?.on('data', (bytes: Buffer) => {
    received += bytes.length;
  });
  await until(() => received === totalBytes, { what: 'everything arrives', timeoutMs: 20_000 });
});

test('a slow reader of a tunnel stops the writer, in both directions', async () => {
  let appSocket: net.Socket | undefined;
  const app = await listening(
    net.createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {});
      closers.push(() => socket.destroy());
      socket.once('data', () => {
        socket.pause();
        socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo\r\nConnection: Upgrade\r\n\r\n');
        appSocket = socket;
      });
    }),
  );
  const sidecar = await sidecarTo(app, 'http1');
  const socket = connect(sidecar.inbound);
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n');
  await new Promise((resolve) => socket.once('data', resolve));
  socket.pause();
  if (appSocket === undefined) throw new Error('the app has no socket');
  const up = new Source(socket);
  await stops(() => up);
  const down = new Source(appSocket);
  await stops(() => down);
  expect(await readsRest(appSocket, (received) => received >= totalBytes)).toBe(totalBytes);
  expect(await readsRest(socket, (received) => received >= totalBytes)).toBe(totalBytes);
});
