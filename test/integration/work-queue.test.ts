/** A sidecar that feeds its app from a work queue of a real nats-server: by credit, over HTTP and gRPC, settled by the answer. */
import { AckPolicy, headers, nanos, RetentionPolicy } from 'nats';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { echoClient, startEcho } from '../support/echo-service.ts';
import {
  type CountingApp,
  type MeshOfTwo,
  metricsOf,
  startCountingApp,
  startMeshOfTwo,
} from '../support/mesh-of-two.ts';
import { type RunningSidecar, startSidecar } from '../support/sidecar.ts';
import { until } from '../support/until.ts';
import { send } from '../support/web.ts';

const policy = `
apiVersion: weir.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: pay, namespace: shop }
spec:
  target: { service: pay }
  inbound: { concurrency: { fixed: { limit: 3 } }, queue: { discipline: fifo, requestsMax: 1 } }
`;

let app: CountingApp;
let mesh: MeshOfTwo;
let streams = 0;
let stream = '';
const cleanups: (() => unknown)[] = [];
beforeAll(async () => {
  app = await startCountingApp();
  mesh = await startMeshOfTwo({ app: app.address, policy });
});
beforeEach(async () => {
  app.seen.length = 0;
  app.answer = () => 200;
  streams++;
  stream = `JOBS${streams}`;
  await mesh.streams.streams.add({
    name: stream,
    subjects: [`jobs${streams}.>`],
    retention: RetentionPolicy.Workqueue,
  });
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await mesh.streams.streams.purge('WEIR_DLQ');
});
afterAll(async () => {
  await mesh.stop();
  await app.stop();
});

async function put(
  bodies: readonly (string | Uint8Array)[],
  fields: Readonly<Record<string, string>> = {},
): Promise<void> {
  for (const body of bodies) {
    const head = headers();
    for (const [name, value] of Object.entries(fields)) head.set(name, value);
    await mesh.client.jetstream().publish(`jobs${streams}.a`, body, { headers: head });
  }
}

async function consume(to: string, ...more: string[]): Promise<RunningSidecar> {
  const sidecar = await startSidecar({
    argv: [
      ...['--service', 'shop/pay', '--nats', mesh.nats.url, '--consume', `jetstream:${stream}/workers`],
      ...['--consume-to', to, '--app', app.address, ...more],
    ],
    policy,
  });
  cleanups.push(() => sidecar.stop());
  return sidecar;
}

const range = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));
const isEmpty = (): Promise<unknown> =>
  until(async () => (await mesh.stored(stream)) === 0, { what: 'the queue is empty', timeoutMs: 10_000 });

describe('a work queue', () => {
  it('is emptied as fast as the app has room, each message once, and each settled by its answer', async () => {
    let inApp = 0;
    let most = 0;
    const failedOnce = new Set<string>();
    app.answer = async ({ body }) => {
      inApp++;
      most = Math.max(most, inApp);
      await new Promise((resolve) => setTimeout(resolve, 3));
      inApp--;
      if (body === '5') return 422;
      if (body !== '9' || failedOnce.has(body)) return 200;
      failedOnce.add(body);
      return 503;
    };
    await put(range(60), { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' });
    const sidecar = await consume('http:/jobs?a=b');
    await isEmpty();
    expect(most).toBe(3);
    expect(app.seen.length).toBe(61);
    expect(new Set(app.seen.map(({ body }) => body)).size).toBe(60);
    expect(app.seen[0]).toMatchObject({
      path: '/jobs?a=b',
      body: '0',
      headers: {
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        'idempotency-key': `${stream}-1`,
        'weir-delivery': '1',
        'weir-tier': 'batch',
      },
    });
    expect(app.seen.filter(({ body }) => body === '9').map(({ headers: seen }) => seen['weir-delivery'])).toEqual([
      '1',
      '2',
    ]);
    const { body } = await mesh.control.ask('GET', '/v1/dead-letters?service=shop/pay');
    expect(body).toMatchObject({
      items: [{ from: stream, reason: 'unprocessable', answer: 'http 422', path: '/jobs?a=b' }],
    });
    expect(await metricsOf(sidecar, /^weir_deliveries_total.*JOBS.*(done|again)/)).toBe(
      `weir_deliveries_total{queue="jetstream:${stream}/workers",result="done"} 59\n` +
        `weir_deliveries_total{queue="jetstream:${stream}/workers",result="again"} 1`,
    );
  });

  it('that is set up by somebody else is taken as it is, and hears that slow ones are worked on', async () => {
    await mesh.streams.consumers.add(stream, {
      durable_name: 'workers',
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(500),
    });
    app.answer = async () => {
      await new Promise((resolve) => setTimeout(resolve, 1500));
      return 200;
    };
    await put(['slow']);
    await consume('http:/');
    await isEmpty();
    expect(app.seen.length).toBe(1);
  });

  it('waits while the app says so, and is emptied when it may', async () => {
    const sidecar = await consume('http:/');
    const say = (body: object): Promise<unknown> =>
      send(
        sidecar.admin,
        { method: 'PUT', path: '/v1/pressure', headers: { 'content-type': 'application/json' } },
        JSON.stringify(body),
      );
    await say({ pause: true });
    await put(range(5));
    await until(async () => /refused"} [1-9]/.test(await metricsOf(sidecar, /^weir_deliveries_total/)), {
      what: 'one was held back',
    });
    expect([app.seen.length, await mesh.stored(stream)]).toEqual([0, 5]);
    await say({ resume: true });
    await isEmpty();
    expect(app.seen.length).toBe(5);
  });

  it('feeds a unary method of gRPC, and keeps what the app says is not valid', async () => {
    const echo = await startEcho();
    const client = echoClient(echo.address);
    cleanups.push(() => {
      client.close();
      echo.stop();
    });
    // Field 1, three octets: weir.test.Chunk { data }.
    const chunk = Uint8Array.from([0x0a, 3, 1, 2, 3]);
    await put([chunk, chunk]);
    const sidecar = await startSidecar({
      argv: [
        ...['--service', 'shop/pay', '--nats', mesh.nats.url, '--consume', `jetstream:${stream}/workers`],
        ...['--consume-to', 'grpc:/weir.test.Echo/Unary', '--app', echo.address],
      ],
      policy,
    });
    await isEmpty();
    expect(echo.state.started).toBe(2);
    await sidecar.stop();
    await put([chunk]);
    const failing = await startSidecar({
      argv: [
        ...['--service', 'shop/pay', '--nats', mesh.nats.url, '--consume', `jetstream:${stream}/workers`],
        ...['--consume-to', 'grpc:/weir.test.Echo/Fail', '--app', echo.address],
      ],
      policy,
    });
    cleanups.push(() => failing.stop());
    await isEmpty();
    const { body } = await mesh.control.ask('GET', '/v1/dead-letters?service=shop/pay');
    expect(body).toMatchObject({ items: [{ answer: 'grpc 5', path: '/weir.test.Echo/Fail', bytes: 10 }] });
  });
});
