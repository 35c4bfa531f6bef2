/**
 * Memory under a slow reader: 64 MiB come through a proxy to a client that reads 1 MiB/s. A proxy that hands credit to
 * the origin before the reader has taken the bytes holds the rest in memory.
 *
 *   npm run bench:slow-reader -- [--seconds 20] [--proxies weir,node-http2]
 *
 * The node:http2 pipe uses `pipe`, so Node's own backpressure works for it; nothing is compared with a proxy that
 * ignores backpressure, which would be no contest. Exit codes: 0 measured · 1 a proxy failed · 64 bad arguments.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Children } from './children.ts';
import { plainSetting } from './config-template.ts';
import { processRssMb } from './process-stat.ts';
import { proxyKinds } from './proxies.ts';
import type { ProxyKind } from './proxy-kind.ts';

const mib = 1024 * 1024;
const responseBytes = 64 * mib;
const readBytesPerSecond = mib;
const tickMs = 50;
const settleMs = 1_000;
const answerDeadlineMs = 5_000;
const knownProxies = proxyKinds.map(({ name }) => name);

let values: { seconds: string; proxies: string };
try {
  ({ values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '20' },
      proxies: { type: 'string', default: 'weir,node-http2' },
    },
  }));
  if (!/^[1-9]\d{0,2}$/.test(values.seconds)) throw new Error('--seconds takes a whole number from 1 to 999');
  const unknown = values.proxies.split(',').filter((name) => !knownProxies.includes(name));
  if (unknown.length > 0) throw new Error(`--proxies does not know ${unknown}; it takes ${knownProxies.join(', ')}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exit(64);
}
const seconds = Number(values.seconds);

const scratchFolder = mkdtempSync(join(tmpdir(), 'weir-bench-'));
process.on('exit', () => rmSync(scratchFolder, { recursive: true, force: true }));
const children = new Children();
process.once('SIGINT', () => void children.stopAll().finally(() => process.exit(130)));
process.once('SIGTERM', () => void children.stopAll().finally(() => process.exit(143)));

const originPort = await startOrigin();
console.log(`64 MiB to a reader of 1 MiB/s, ${seconds} s; growth of the proxy's resident memory`);
for (const kind of proxyKinds.filter(({ name }) => values.proxies.split(',').includes(name))) {
  const absence = kind.absent();
  if (absence !== null) {
    console.log(`absent: ${kind.name}: ${absence}`);
    continue;
  }
  try {
    console.log(await measureGrowth(kind));
  } catch (error) {
    console.error(`FAULT: ${kind.name}: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
await children.stopAll();
process.exit();

/** `/small` warms a proxy up; everything else is 64 MiB, written no faster than it is taken. */
async function startOrigin(): Promise<number> {
  const chunk = Buffer.alloc(64 * 1024, 'x');
  const server = createServer();
  server.on('stream', (stream, headers) => {
    stream.on('error', () => stream.destroy());
    stream.respond({ ':status': 200 });
    if (headers[':path'] === '/small') {
      stream.end('ok');
      return;
    }
    let left = responseBytes;
    const write = () => {
      while (left > 0) {
        left -= chunk.length;
        if (!stream.write(chunk)) {
          stream.once('drain', write);
          return;
        }
      }
      stream.end();
    };
    write();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return address !== null && typeof address === 'object' ? address.port : 0;
}

async function measureGrowth(kind: ProxyKind): Promise<string> {
  const proxy = await kind.start({
    ...{ children, core: null, originPort, setting: plainSetting, scratchFolder, certificate: null },
  });
  const session = connect(`http://127.0.0.1:${proxy.port}`);
  session.on('error', () => session.destroy());
  try {
    for (let i = 0; i < 200; i++) await readAll(session.request({ ':path': '/small', ':authority': 'origin.bench' }));
    await delay(settleMs);
    const before = processRssMb(proxy.child.pid);
    const response = session.request({ ':path': '/large', ':authority': 'origin.bench' });
    response.pause();
    const [headers] = await once(response, 'response', { signal: AbortSignal.timeout(answerDeadlineMs) });
    if (headers[':status'] !== 200) throw new Error(`answered ${headers[':status']}`);
    let most = before;
    let readBytes = 0;
    const startedAtMs = performance.now();
    for (;;) {
      await delay(tickMs);
      const elapsedMs = performance.now() - startedAtMs;
      readBytes += readUpTo(response, (elapsedMs / 1000) * readBytesPerSecond - readBytes);
      most = Math.max(most, processRssMb(proxy.child.pid));
      if (elapsedMs >= seconds * 1000 || readBytes >= responseBytes) break;
    }
    const [grown, read] = [(most - before).toFixed(1), (readBytes / mib).toFixed(1)];
    return `  ${kind.name.padEnd(14)} +${grown} MiB (from ${before.toFixed(1)}), ${read} MiB read`;
  } finally {
    session.destroy();
    await proxy.child.stop();
  }
}

/** Takes at most `budget` bytes of what has come; the rest stays where it is and holds the window shut. */
function readUpTo(stream: NodeJS.ReadableStream & { readonly readableLength: number }, budget: number): number {
  let taken = 0;
  while (taken < budget) {
    const size = Math.min(stream.readableLength, Math.floor(budget - taken));
    const chunk = size > 0 ? stream.read(size) : null;
    if (chunk === null) {
      // An empty buffer is asked once, so that the stream fetches more.
      if (stream.readableLength === 0) stream.read(0);
      break;
    }
    taken += chunk.length;
  }
  return taken;
}

async function readAll(stream: NodeJS.ReadableStream): Promise<void> {
  stream.resume();
  await once(stream, 'end', { signal: AbortSignal.timeout(answerDeadlineMs) });
}
