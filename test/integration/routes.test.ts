/** Routes of a policy over real sockets: limits and breakers of their own, in one thread and in two, by path and by gRPC method. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { echoClient, startEcho } from '../support/echo-service.ts';
import { sidecarDoors, startWeir, text } from '../support/process.ts';
import { startSidecar } from '../support/sidecar.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { get, later, policyAbout, type Reply, release, startWebApp } from '../support/web.ts';

afterEach(release);

/** Answers with the status that the query names. */
const startApp = (): Promise<string> =>
  startWebApp((request, response) => {
    response.statusCode = Number(new URL(request.url ?? '/', 'http://app').searchParams.get('status') ?? 200);
    response.end('ok');
  });

const statusesOf = async (count: number, one: () => Promise<Reply>): Promise<number[]> => {
  const statuses: number[] = [];
  for (let i = 0; i < count; i++) statuses.push((await one()).status);
  return statuses;
};

describe.each([1, 2])('routes in a sidecar with --concurrency %i', (concurrency) => {
  it('limit and break by path and header, beside the service and apart from it', async () => {
    const app = await startApp();
    const { path: dir } = tempDir('routes');
    const file = join(dir, 'policy.yaml');
    const own = `  inbound: { rateLimits: [{ name: all, rate: 1/h, burst: 3 }] }
  routes:
    - name: slow
      match: { path: { prefix: /slow }, headers: [{ name: X-Batch, present: {} }] }
      inbound: { rateLimits: [{ name: slow, rate: 1/h, burst: 2 }] }
`;
    const called = `  outbound: { circuitBreaker: { consecutiveFailures: 100 } }
  routes:
    - name: bad
      match: { path: { exact: /bad } }
      outbound: { circuitBreaker: { consecutiveFailures: 3, openFor: 1m, openForMax: 1m } }
`;
    writeFileSync(file, `${policyAbout('orders', own)}---\n${policyAbout('pay', called)}`);
    const sidecar = await startWeir([
      ...['sidecar', '--concurrency', String(concurrency), '--service', 'shop/orders', '--app', app],
      ...['--app-protocol', 'http1', '--endpoint', `shop/pay=${app}`, '--policy', file, '--log-format', 'json'],
      ...sidecarDoors,
    ]);
    later(() => sidecar.stop());
    const inbound = text(sidecar.listening, 'inbound');
    const outbound = text(sidecar.listening, 'outbound');

    const slow = () => get(inbound, '/slow/1?a', { 'x-batch': '1' });
    expect(await statusesOf(4, slow)).toEqual([200, 200, 429, 429]);
    expect(await statusesOf(4, () => get(inbound, '/slow/1'))).toEqual([200, 200, 200, 429]);
    const bad = () => get(outbound, '/bad?status=500', { host: 'pay' });
    expect(await statusesOf(3, bad)).toEqual([500, 500, 500]);
    // Another thread may be asked before the one that answered has counted the failure.
    await until(() => sidecar.logs.some(({ msg }) => msg === 'breaker'), { what: 'the breaker opens' });
    expect(await statusesOf(2, bad)).toEqual([503, 503]);
    expect(await statusesOf(2, () => get(outbound, '/good', { host: 'pay' }))).toEqual([200, 200]);

    const { body: metrics } = await get(text(sidecar.listening, 'metrics'), '/metrics');
    expect(metrics.split('\n').filter((line) => line.startsWith('weir_route_'))).toEqual([
      'weir_route_requests_total{direction="inbound",upstream="shop/orders",route="slow",outcome="success"} 2',
      'weir_route_requests_total{direction="inbound",upstream="shop/orders",route="slow",outcome="rejected"} 2',
      'weir_route_requests_total{direction="outbound",upstream="shop/pay",route="bad",outcome="failure"} 3',
      'weir_route_requests_total{direction="outbound",upstream="shop/pay",route="bad",outcome="rejected"} 2',
      'weir_route_breaker_state{upstream="shop/pay",route="bad"} 2',
    ]);
    expect(sidecar.logs.find(({ msg }) => msg === 'breaker')).toMatchObject({ target: 'shop/pay', route: 'bad' });
  });
});

it('a route by gRPC method limits that method and no other', async () => {
  const echo = await startEcho();
  later(() => echo.stop());
  const spec = `  routes:
    - name: unary
      match: { grpc: { service: weir.test.Echo, method: Unary } }
      inbound: { rateLimits: [{ name: one, rate: 1/h, burst: 1 }] }
`;
  const sidecar = await startSidecar({
    argv: ['--service', 'shop/echo', '--app', echo.address],
    policy: policyAbout('echo', spec),
  });
  later(() => sidecar.stop());
  const client = echoClient(sidecar.inbound);
  later(() => client.close());
  const data = Buffer.from('x');
  const unary = (): Promise<number> =>
    new Promise((resolve) => {
      client.unary({ data }, new grpc.Metadata(), {}, (error) => resolve(error?.code ?? grpc.status.OK));
    });
  const collect = (): Promise<number> =>
    new Promise((resolve) => {
      const stream = client.collect((error) => resolve(error?.code ?? grpc.status.OK));
      stream.end();
    });
  expect([await unary(), await unary(), await unary()]).toEqual([0, 8, 8]);
  expect([await collect(), await collect()]).toEqual([0, 0]);
});
