/**
 * HTTP/1.1 and the process's budget: what waits for slow HTTP/1.1 readers is counted, the largest are let go when it is
 * too much, and in the end everything has been given back.
 */
import http from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { flowBudget } from '../../sidecar/io/flow-budget.ts';
import { RawClient } from '../support/http1-wire.ts';
import { startSidecar } from '../support/sidecar.ts';
import { until } from '../support/until.ts';

const readers = 40;
const capBytes = 1024 * 1024;
const chunk = Buffer.alloc(65_536, 'x');
const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

test('slow HTTP/1.1 readers beyond the budget are let go, and all is given back when they leave', async () => {
  const app = http.createServer((request, response) => {
    if (request.url === '/short') return void response.end('short');
    const push = (): void => {
      if (!response.destroyed && response.write(chunk)) setImmediate(push);
      else response.once('drain', push);
    };
    push();
  });
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    app.closeAllConnections();
    app.close();
  });
  const address = app.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  const sidecar = await startSidecar({ argv: ['--app', `127.0.0.1:${port}`] });
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
  await until(() => flowBudget.usedBytes <= capBytes, { what: 'what waits is below the cap' });
  for (const client of clients) client.socket.resetAndDestroy();
  await until(() => sidecar.sidecar.inFlight === 0, { what: 'nothing is in flight' });
  await until(() => flowBudget.usedBytes <= usedBefore, { what: 'everything is given back' });
  const other = new RawClient(sidecar.inbound);
  closers.push(() => other.destroy());
  // The proxy may shed for a moment yet; it says so, and does not stop to answer.
  const isServed = async (): Promise<boolean> => {
    other.received = '';
    other.send('GET /short HTTP/1.1\r\nHost: a\r\n\r\n');
    await other.reads('\r\n\r\n');
    return other.received.startsWith('HTTP/1.1 200');
  };
  expect(await until(isServed, { what: 'another caller is served' })).toBe(true);
});
