/**
 * HTTP/1.1 and the process's budget: what waits for slow HTTP/1.1 readers is counted, the largest are let go when it is
 * too much, others notice nothing, and in the end everything has been given back.
 */
import http2 from 'node:http2';
import { afterEach, expect, test } from 'vitest';
import { flowBudget } from '../../sidecar/io/flow-budget.ts';
import { RawClient } from '../support/http1-wire.ts';
import { startSidecar } from '../support/sidecar.ts';
import { until } from '../support/until.ts';

const readers = 40;
const capBytes = 2 * 1024 * 1024;
const chunk = Buffer.alloc(65_536, 'x');
const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

test('slow HTTP/1.1 readers beyond the budget are let go, and others are served', async () => {
  const app = http2.createServer();
  app.on('stream', (stream, head) => {
    stream.on('error', () => {});
    stream.respond({ ':status': 200 });
    if (head[':path'] === '/short') return stream.end('short');
    const push = (): void => {
      if (!stream.destroyed && stream.write(chunk)) setImmediate(push);
      else stream.once('drain', push);
    };
    push();
  });
  app.on('session', (session) => closers.push(() => session.destroy()));
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  closers.push(() => app.close());
  const address = app.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  const sidecar = await startSidecar({ argv: ['--app', `127.0.0.1:${port}`, '--app-protocol', 'http2'] });
  closers.push(() => sidecar.stop());
  flowBudget.capBytes = capBytes;
  const usedBefore = flowBudget.usedBytes;
  const letGoBefore = flowBudget.streamsLetGo;

  const clients = Array.from({ length: readers }, () => new RawClient(sidecar.inbound));
  closers.push(() => {
    for (const client of clients) client.destroy();
  });
  for (const client of clients) {
    client.socket.pause();
    client.send('GET /endless HTTP/1.1\r\nHost: a\r\n\r\n');
  }
  await until(() => flowBudget.streamsLetGo > letGoBefore, { what: 'the largest are let go', timeoutMs: 15_000 });
  const other = new RawClient(sidecar.inbound);
  closers.push(() => other.destroy());
  // Its window is all that a reader adds between two looks at the budget.
  await until(() => flowBudget.usedBytes <= capBytes, { what: 'what waits is below the cap' });
  const ask = async (): Promise<boolean> => {
    other.received = '';
    other.send('GET /short HTTP/1.1\r\nHost: a\r\n\r\n');
    await other.reads('\r\n\r\n');
    return other.received.startsWith('HTTP/1.1 200');
  };
  expect(await until(ask, { what: 'another caller is served' })).toBe(true);
  for (const client of clients) client.socket.resetAndDestroy();
  await until(() => sidecar.sidecar.inFlight === 0, { what: 'nothing is in flight' });
  await until(() => flowBudget.usedBytes <= usedBefore, { what: 'everything is given back' });
});
