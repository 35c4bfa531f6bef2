/** What parked requests meet on their way to the app: its limits, its priorities, its breaker, and the end of their time. */
import * as grpc from '@grpc/grpc-js';
import { headers } from 'nats';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { encodeParked, type ParkedRequest, parkedHeader } from '../../proto/parked.ts';
import { echoClient, startEcho } from '../support/echo-service.ts';
import {
  type CountingApp,
  type MeshOfTwo,
  metricsOf,
  startCountingApp,
  startMeshOfTwo,
} from '../support/mesh-of-two.ts';
import { parkedRequest } from '../support/parked-request.ts';
import { startSidecar } from '../support/sidecar.ts';
import { until } from '../support/until.ts';
import { send } from '../support/web.ts';

const policy = `
apiVersion: weir.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: pay, namespace: shop }
spec:
  target: { service: pay }
  inbound:
    concurrency: { fixed: { limit: 3 } }
    queue: { requestsMax: 20, waitMax: 2s }
    priorities: {}
  outbound:
    circuitBreaker: { consecutiveFailures: 2, openFor: 300ms, openForMax: 300ms, halfOpen: { probes: 1 } }
    parking: { idempotent: { httpMethods: [POST] }, on: [breakerOpen] }
---
apiVersion: weir.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: echo, namespace: shop }
spec:
  target: { service: echo }
  outbound:
    parking:
      idempotent: { grpcMethods: [{ service: weir.test.Echo, method: Unary }] }
      answer: { grpc: { status: 14, statusMessage: kept for later } }
`;

let app: CountingApp;
let mesh: MeshOfTwo;
const cleanups: (() => unknown)[] = [];
beforeAll(async () => {
  app = await startCountingApp();
  mesh = await startMeshOfTwo({
    app: app.address,
    policy,
    callerArgv: ['--endpoint', 'shop/echo=127.0.0.1:1'],
  });
});
beforeEach(async () => {
  for (const stream of ['WEIR_RETRY', 'WEIR_DLQ']) await mesh.streams.streams.purge(stream);
  app.seen.length = 0;
  app.answer = () => 200;
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
afterAll(async () => {
  await mesh.stop();
  await app.stop();
});

async function park(count: number, more: Partial<ParkedRequest> = {}): Promise<void> {
  for (let i = 0; i < count; i++) {
    const fields = headers();
    fields.set(parkedHeader, encodeParked({ ...parkedRequest, reference: `r-${i}`, ...more }));
    await mesh.client.jetstream().publish('weir.retry.shop.pay', `parked ${i}`, { headers: fields });
  }
}

const isEmpty = (stream: string): Promise<unknown> =>
  until(async () => (await mesh.stored(stream)) === 0, { what: `${stream} is empty`, timeoutMs: 15_000 });

describe('a storm of parked requests', () => {
  it('passes through the limit of the service, behind those who wait for their answer', async () => {
    let inApp = 0;
    let most = 0;
    app.answer = async () => {
      inApp++;
      most = Math.max(most, inApp);
      await new Promise((resolve) => setTimeout(resolve, 5));
      inApp--;
      return 200;
    };
    await park(150);
    const waits: number[] = [];
    const statuses = new Set<number>();
    // A caller that comes back for more as soon as it has an answer, until all of the storm is through.
    while ((await mesh.stored('WEIR_RETRY')) > 0) {
      const startedMs = performance.now();
      const { status } = await send(
        mesh.callee.inbound,
        { method: 'POST', path: '/live', headers: { host: 'pay' } },
        'live',
      );
      waits.push(performance.now() - startedMs);
      statuses.add(status);
    }
    expect([...statuses]).toEqual([200]);
    expect(most).toBeLessThanOrEqual(3);
    expect(new Set(app.seen.map(({ body }) => body)).size).toBe(151);
    expect(await mesh.stored('WEIR_DLQ')).toBe(0);
    // It never stood behind the storm: 150 of them are 250 ms of work.
    waits.sort((a, b) => a - b);
    expect(waits[Math.floor(waits.length / 2)]).toBeLessThan(200);
  });
});

describe('a request that finds the breaker open', () => {
  it('is parked whole, and delivered when the service is well', async () => {
    app.answer = ({ body }) => (body === 'bad' ? 500 : 200);
    expect([(await mesh.post('bad')).status, (await mesh.post('bad')).status]).toEqual([500, 500]);
    const reply = await mesh.post('x'.repeat(60_000));
    expect(reply.status).toBe(202);
    await until(() => app.seen.some(({ body }) => body.length === 60_000), { what: 'it is delivered' });
    await isEmpty('WEIR_RETRY');
  });
});

describe('a parked call of gRPC', () => {
  it('is answered with the status of the policy, and carried out later', async () => {
    const client = echoClient(mesh.caller.outbound, 'echo');
    cleanups.push(() => client.close());
    const failed = await new Promise<grpc.ServiceError>((resolve, reject) => {
      client.unary({ data: Buffer.from('later') }, new grpc.Metadata(), {}, (error) =>
        error === null ? reject(new Error('it was answered')) : resolve(error),
      );
    });
    expect([failed.code, failed.details, failed.metadata.get('weir-parked')]).toEqual([
      grpc.status.UNAVAILABLE,
      'kept for later',
      [expect.stringMatching(/^i1-[0-9a-z]+$/)],
    ]);
    const echo = await startEcho();
    cleanups.push(() => echo.stop());
    const callee = await startSidecar({
      argv: ['--service', 'shop/echo', '--app', echo.address, '--nats', mesh.nats.url],
      policy,
    });
    cleanups.push(() => callee.stop());
    await until(() => echo.state.started === 1, { what: 'it is carried out' });
    await isEmpty('WEIR_RETRY');
  });
});

describe('a parked request that somebody forged', () => {
  it('is a dead letter, and writes nothing into a connection to the app', async () => {
    const forged: Partial<ParkedRequest>[] = [
      { headers: [['x-a', 'b\r\nx-evil: 1']] },
      { headers: [['bad name', 'x']] },
      { path: '/a HTTP/1.1\r\nx-evil: 1' },
      { path: 'no-slash' },
      { method: 'POST /other HTTP/1.1' },
      { authority: '' },
    ];
    for (const one of forged) await park(1, one);
    await until(async () => (await mesh.stored('WEIR_DLQ')) === forged.length, { what: 'all are dead' });
    expect(app.seen).toEqual([]);
    const { body } = await mesh.control.ask('GET', '/v1/dead-letters?limit=1');
    expect(body).toMatchObject({ items: [{ reason: 'unprocessable', answer: 'bad_request' }] });
    // What is of a hop, or ours to say, is left out.
    await park(1, {
      headers: [
        ['weir-tier', 'critical'],
        ['host', 'evil'],
        ['transfer-encoding', 'chunked'],
        ['x-a', 'b'],
      ],
    });
    await until(() => app.seen.length === 1, { what: 'it is delivered' });
    expect(app.seen[0]?.headers).toMatchObject({
      'weir-tier': 'background',
      host: 'pay',
      'x-a': 'b',
      'content-length': '8',
    });
  });
});

describe('a parked request whose time is over', () => {
  it('is a dead letter, without a delivery', async () => {
    await park(1, { parkedAtMs: Date.now() - 120_000, ageMaxMs: 60_000 });
    await until(async () => (await mesh.stored('WEIR_DLQ')) === 1, { what: 'it is dead' });
    await isEmpty('WEIR_RETRY');
    expect(app.seen).toEqual([]);
    const { body } = await mesh.control.ask('GET', '/v1/dead-letters');
    expect(body).toMatchObject({ items: [{ reason: 'expired', answer: '', deliveries: 1 }] });
  });

  it('stays parked while its letter cannot be stored', async () => {
    await mesh.streams.streams.update('WEIR_DLQ', { max_msgs: 1 });
    cleanups.push(() => mesh.streams.streams.update('WEIR_DLQ', { max_msgs: 1_000_000 }));
    app.answer = () => 400;
    await park(2);
    await until(async () => /unburied"} [1-9]/.test(await metricsOf(mesh.callee, /queue="retry"/)), {
      what: 'one could not be stored',
    });
    expect([await mesh.stored('WEIR_DLQ'), await mesh.stored('WEIR_RETRY')]).toEqual([1, 1]);
    await mesh.streams.streams.purge('WEIR_DLQ');
    await until(async () => (await mesh.stored('WEIR_DLQ')) === 1, { what: 'it is stored when there is room' });
    await isEmpty('WEIR_RETRY');
  });
});
