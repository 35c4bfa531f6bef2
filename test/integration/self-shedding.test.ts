/**
 * A proxy that is itself overloaded says so: a real sidecar whose heap is always "too full".
 */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import * as grpc from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import { type EchoService, echoClient, startEcho } from '../support/echo-service.ts';
import { type RunningSidecar, startSidecar } from '../support/sidecar.ts';
import { until } from '../support/until.ts';

let sidecar: RunningSidecar | undefined;
let app: http.Server | undefined;
let echo: EchoService | undefined;

afterEach(async () => {
  await sidecar?.stop();
  app?.closeAllConnections();
  app?.close();
  echo?.stop();
  sidecar = undefined;
  app = undefined;
  echo = undefined;
});

async function startApp(): Promise<string> {
  app = http.createServer((_request, response) => response.end('ok'));
  await new Promise<void>((resolve) => app?.listen(0, '127.0.0.1', resolve));
  const { port }: AddressInfo = Object.assign({ address: '', family: '', port: 0 }, app.address());
  return `127.0.0.1:${port}`;
}

/** A millionth of the heap is always in use. */
const alwaysTooFull = ['--shed-heap-percent', '0.0001'];

test('an overloaded sidecar refuses a share of HTTP requests with its own reason, and shows it to operators', async () => {
  sidecar = await startSidecar({ argv: ['--app', await startApp(), ...alwaysTooFull] });
  const { inbound, admin, metrics } = sidecar;
  const refused = await until(
    async () => {
      const answer = await fetch(`http://${inbound}/`);
      await answer.text();
      return answer.status === 503 ? answer : undefined;
    },
    { what: 'a request is shed' },
  );
  expect(refused.headers.get('weir-reason')).toBe('proxy_overload');
  expect(refused.headers.get('retry-after')).toBe('1');
  const stats: unknown = await (await fetch(`http://${admin}/stats`)).json();
  expect(stats).toMatchObject({ overload: { cause: 'heap', shedShare: expect.any(Number) } });
  const text = await (await fetch(`http://${metrics}/metrics`)).text();
  expect(text).toMatch(/weir_requests_rejected_total\{.*reason="proxy_overload"\} [1-9]/);
  expect(text).toMatch(/weir_self_shed_ratio 0\.[5-9]/);
});

test('an overloaded sidecar refuses gRPC calls as UNAVAILABLE, with pushback', async () => {
  echo = await startEcho();
  sidecar = await startSidecar({ argv: ['--app', echo.address, ...alwaysTooFull] });
  const client = echoClient(sidecar.inbound);
  const call = (): Promise<grpc.ServiceError | null> =>
    new Promise((resolve) =>
      client.unary({ data: Buffer.alloc(1) }, new grpc.Metadata(), {}, (error) => resolve(error)),
    );
  const error = await until(call, { what: 'a call is shed' });
  client.close();
  expect(error.code).toBe(grpc.status.UNAVAILABLE);
  expect(error.metadata.get('weir-reason')).toEqual(['proxy_overload']);
  expect(error.metadata.get('grpc-retry-pushback-ms')).toEqual(['1000']);
});

test('a sidecar that may use all of its heap sheds nothing', async () => {
  sidecar = await startSidecar({ argv: ['--app', await startApp(), '--shed-heap-percent', '0', '--shed-lag', '0s'] });
  for (let i = 0; i < 50; i++) {
    const answer = await fetch(`http://${sidecar.inbound}/`);
    await answer.text();
    expect(answer.status).toBe(200);
  }
});
