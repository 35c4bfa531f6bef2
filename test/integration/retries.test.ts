/** Retries, hedges and deadlines through real sidecars: grpc-js clients and servers, and HTTP over real sockets. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import * as grpc from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from 'vitest';
import { type EchoClient, echoClient, startEcho } from '../support/echo-service.ts';
import { type RunningSidecar, startSidecar } from '../support/sidecar.ts';
import { until } from '../support/until.ts';

const cleanUps: (() => Promise<unknown> | undefined)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

interface Seen {
  readonly attempt: string | undefined;
  readonly previous: string | undefined;
  readonly timeoutMs: string | undefined;
}

interface App {
  readonly address: string;
  readonly seen: Seen[];
  /** What it answers; 0 = nothing at all. */
  status: number;
  fields: Record<string, string>;
}

async function startApp(status = 200): Promise<App> {
  const seen: Seen[] = [];
  const server = http.createServer((request, response) => {
    const { headers } = request;
    seen.push({
      attempt: text(headers['weir-attempt']),
      previous: text(headers['grpc-previous-rpc-attempts']),
      timeoutMs: text(headers['x-timeout-ms']),
    });
    if (app.status !== 0) request.pipe(response.writeHead(app.status, app.fields));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const at: AddressInfo = Object.assign({ address: '', family: '', port: 0 }, server.address());
  const app: App = { address: `127.0.0.1:${at.port}`, seen, status, fields: {} };
  cleanUps.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return app;
}

const text = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value);

async function startMesh(outbound: string, endpoints: readonly string[]): Promise<RunningSidecar> {
  const sidecar = await startSidecar({
    argv: ['--service', 'shop/web', ...endpoints.flatMap((endpoint) => ['--endpoint', `shop/orders=${endpoint}`])],
    policy:
      'apiVersion: weir.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: { name: orders, namespace: shop }\nspec:\n' +
      `  target: { service: orders }\n  outbound: ${outbound}\n`,
  });
  cleanUps.push(() => sidecar.stop());
  return sidecar;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

function request(address: string, method: string, body = '', headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const [host, port] = address.split(':');
    const options = { host, port, method, path: '/', agent: false, headers: { host: 'orders.shop', ...headers } };
    const sent = http.request(options, (response) => {
      let received = '';
      response.on('data', (part: Buffer) => {
        received += part.toString();
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: received }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

async function metric(sidecar: RunningSidecar, line: string): Promise<number> {
  const scraped = await (await fetch(`http://${sidecar.metrics}/metrics`)).text();
  return Number(new RegExp(`^${line.replace(/[{}]/g, '\\$&')} (.*)$`, 'm').exec(scraped)?.[1] ?? 0);
}

function unary(client: EchoClient, deadlineMs = 5000): Promise<grpc.ServiceError | null> {
  return new Promise((resolve) => {
    const options = { deadline: Date.now() + deadlineMs };
    client.unary({ data: Buffer.from('x') }, new grpc.Metadata(), options, (error) => resolve(error));
  });
}

describe('Retries over HTTP', () => {
  test('find the endpoint that answers, and say which attempt they are', async () => {
    const bad = await startApp(503);
    const good = await startApp();
    const sidecar = await startMesh('{ retries: { budget: { percent: 100 } } }', [bad.address, good.address]);
    for (let i = 0; i < 20; i++) expect((await request(sidecar.outbound, 'GET')).status).toBe(200);
    expect(bad.seen.length).toBeGreaterThan(0);
    expect(good.seen.filter(({ attempt }) => attempt === '2')).toHaveLength(bad.seen.length);
    expect(await metric(sidecar, 'weir_retries_total{upstream="shop/orders",result="retried"}')).toBe(bad.seen.length);
    expect(
      await metric(sidecar, 'weir_requests_total{direction="outbound",upstream="shop/orders",outcome="success"}'),
    ).toBe(20);
  });

  test('send content again where the policy vouches for it, and leave a POST alone where it does not', async () => {
    const bad = await startApp(503);
    const good = await startApp();
    const careful = await startMesh('{ retries: {} }', [bad.address]);
    expect(await request(careful.outbound, 'POST', 'once')).toMatchObject({ status: 503 });
    expect(bad.seen).toHaveLength(1);
    const vouched = await startMesh('{ retries: { nonIdempotent: true, budget: { percent: 100 } } }', [
      bad.address,
      good.address,
    ]);
    for (let i = 0; i < 10; i++) {
      expect(await request(vouched.outbound, 'POST', `order ${i}`)).toEqual({ status: 200, body: `order ${i}` });
    }
    expect(bad.seen.length).toBeGreaterThan(1);
  });

  test('stay within the budget when everything fails', async () => {
    const bad = await startApp(503);
    const sidecar = await startMesh('{ retries: { budget: { percent: 10, minConcurrent: 0 } } }', [bad.address]);
    for (let i = 0; i < 100; i++) expect((await request(sidecar.outbound, 'GET')).status).toBe(503);
    expect(bad.seen).toHaveLength(110);
    expect(await metric(sidecar, 'weir_retries_total{upstream="shop/orders",result="no_budget"}')).toBe(80 + 10);
  });

  test('are not made when the service says when not to', async () => {
    const bad = await startApp(503);
    bad.fields = { 'retry-after': '3600' };
    const sidecar = await startMesh('{ retries: {} }', [bad.address]);
    expect((await request(sidecar.outbound, 'GET')).status).toBe(503);
    expect(bad.seen).toHaveLength(1);
    expect(await metric(sidecar, 'weir_retries_total{upstream="shop/orders",result="pushback"}')).toBe(1);
  });

  test('follow an attempt that took too long; the field with the time left goes on, and shrinks', async () => {
    const slow = await startApp(0);
    const good = await startApp();
    const policy =
      '{ timeout: 4s, perTryTimeout: 150ms, timeoutHeader: x-timeout-ms, retries: { budget: { percent: 100 } } }';
    const sidecar = await startMesh(policy, [slow.address, good.address]);
    for (let i = 0; i < 6; i++) {
      const answer = await request(sidecar.outbound, 'GET', '', { 'x-timeout-ms': '2000' });
      expect(answer.status).toBe(200);
    }
    for (const { timeoutMs } of [...slow.seen, ...good.seen]) expect(Number(timeoutMs)).toBeLessThanOrEqual(150);
    expect(slow.seen.length).toBeGreaterThan(0);
  });
});

describe('Hedges over HTTP', () => {
  test('answer in the place of an endpoint that hangs', async () => {
    const slow = await startApp(0);
    const good = await startApp();
    const policy = '{ hedging: { after: 50ms }, retries: { budget: { percent: 100, minConcurrent: 10 } } }';
    const sidecar = await startMesh(policy, [slow.address, good.address]);
    for (let i = 0; i < 10; i++) expect((await request(sidecar.outbound, 'GET')).status).toBe(200);
    expect(slow.seen.length).toBeGreaterThan(0);
    const inFlight = 'weir_inflight_requests{direction="outbound",upstream="shop/orders"}';
    await until(async () => (await metric(sidecar, inFlight)) === 0, { what: 'every request to end' });
    expect(await metric(sidecar, 'weir_hedges_total{upstream="shop/orders",result="won"}')).toBe(slow.seen.length);
  });
});

describe('Retries over gRPC', () => {
  test('go past an endpoint where nobody listens, and the calls of grpc-js never see it', async () => {
    const echo = await startEcho();
    cleanUps.push(async () => echo.stop());
    const gone = await startApp();
    await cleanUps.pop()?.();
    const sidecar = await startMesh('{ retries: { budget: { percent: 100 } } }', [gone.address, echo.address]);
    const client = echoClient(sidecar.outbound, 'orders.shop');
    cleanUps.push(async () => client.close());
    for (let i = 0; i < 10; i++) expect(await unary(client)).toBeNull();
    expect(echo.state.started).toBe(10);
  });

  test('are made for the statuses that the policy lists, within the caller’s deadline', async () => {
    const echo = await startEcho();
    cleanUps.push(async () => echo.stop());
    echo.state.failing = true;
    const policy =
      '{ retries: { retryOn: { grpcStatuses: [INTERNAL] }, attemptsMax: 3, budget: { minConcurrent: 10 } } }';
    const sidecar = await startMesh(policy, [echo.address]);
    const client = echoClient(sidecar.outbound, 'orders.shop');
    cleanUps.push(async () => client.close());
    expect((await unary(client))?.code).toBe(grpc.status.INTERNAL);
    expect(echo.state.started).toBe(3);
    echo.state.failing = false;
    expect(await unary(client)).toBeNull();
  });

  test('leave it to a client that retries by itself', async () => {
    const echo = await startEcho();
    cleanUps.push(async () => echo.stop());
    echo.state.failing = true;
    const policy = '{ retries: { retryOn: { grpcStatuses: [INTERNAL] }, budget: { minConcurrent: 10 } } }';
    const sidecar = await startMesh(policy, [echo.address]);
    const client = echoClient(sidecar.outbound, 'orders.shop');
    cleanUps.push(async () => client.close());
    const metadata = new grpc.Metadata();
    metadata.set('grpc-previous-rpc-attempts', '1');
    await new Promise((resolve) => client.unary({ data: Buffer.from('x') }, metadata, {}, resolve));
    expect(echo.state.started).toBe(1);
  });
});
