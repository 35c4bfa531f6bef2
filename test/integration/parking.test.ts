/** Requests that a service cannot take: parked, delivered when it can, and dead when it never will. Real sockets and NATS. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { headers } from 'nats';
import { afterEach, describe, expect, it } from 'vitest';
import { encodeParked, parkedHeader } from '../../proto/parked.ts';
import { redeliveriesAtOnceMax } from '../../sidecar/io/queue/redelivery.ts';
import { startTestControlPlane } from '../support/control-plane.ts';
import { type MeshOfTwo, metricsOf, startCountingApp, startMeshOfTwo } from '../support/mesh-of-two.ts';
import { startNatsServer } from '../support/nats-server.ts';
import { parkedRequest } from '../support/parked-request.ts';
import { startWeir, text, type WeirProcess } from '../support/process.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { type Reply, send } from '../support/web.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const policyOf = (parking: string, more = ''): string => `
apiVersion: weir.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: pay, namespace: shop }
spec:
  target: { service: pay }
  outbound:
    parking: { idempotent: { httpMethods: [POST] }${parking} }
    ${more}
`;

async function start(app: string, policy: string): Promise<MeshOfTwo> {
  const mesh = await startMeshOfTwo({ app, policy });
  cleanups.push(() => mesh.stop());
  return mesh;
}

/** As a caller's sidecar would. */
async function parkInOrder(mesh: MeshOfTwo, count: number): Promise<void> {
  const jetStream = mesh.client.jetstream();
  for (let i = 0; i < count; i++) {
    const fields = headers();
    fields.set(parkedHeader, encodeParked({ ...parkedRequest, reference: `r-${i}` }));
    await jetStream.publish('weir.retry.shop.pay', String(i), { headers: fields });
  }
}

describe('a parked request', () => {
  it('is delivered once its service is there, with what its caller sent and one key', async () => {
    const first = await startCountingApp();
    await first.stop();
    const mesh = await start(first.address, policyOf(', headers: [X-Tenant]'));
    const reply = await mesh.post('five', { 'x-tenant': 'gold', 'x-other': 'lost', 'content-type': 'text/plain' });
    const reference = reply.headers['weir-parked'];
    expect([reply.status, reply.body]).toEqual([202, `{"reference":"${reference}"}\n`]);
    expect(await metricsOf(mesh.caller, /^weir_(parked|requests_rejected)_total/)).toBe(
      'weir_parked_total{upstream="shop/pay",result="parked"} 1',
    );
    const app = await startCountingApp(Number(first.address.split(':')[1]));
    cleanups.push(() => app.stop());
    await until(() => app.seen.length > 0, { what: 'it is delivered' });
    expect(app.seen[0]).toMatchObject({
      path: '/pay',
      body: 'five',
      headers: {
        host: 'pay',
        'content-length': '4',
        'content-type': 'text/plain',
        'x-tenant': 'gold',
        'idempotency-key': reference,
        'weir-tier': 'background',
      },
    });
    expect(app.seen[0]?.headers['x-other']).toBeUndefined();
    await until(async () => (await mesh.stored('WEIR_RETRY')) === 0, { what: 'it is gone' });
    expect([app.seen.length, await mesh.stored('WEIR_DLQ')]).toEqual([1, 0]);
  });

  it('that is poison delays none of 999 others, and dies at once; what fails dies when its deliveries are spent', async () => {
    const app = await startCountingApp();
    cleanups.push(() => app.stop());
    app.answer = ({ body }) => (body === '3' ? 422 : body === '7' ? 500 : 200);
    const mesh = await start(app.address, policyOf(''));
    await parkInOrder(mesh, 1000);
    await until(() => app.seen.length >= 1002, { what: 'all are delivered', timeoutMs: 15_000 });
    const first = new Map<string, number>();
    for (const [at, { body }] of app.seen.entries()) if (!first.has(body)) first.set(body, at);
    expect(first.size).toBe(1000);
    // In the order in which they were parked, but for those in the app's hands at once, and the one that came again.
    for (const [body, at] of first)
      expect(Math.abs(at - Number(body))).toBeLessThanOrEqual(1.25 * redeliveriesAtOnceMax + 2);
    expect(app.seen.filter(({ body }) => body === '3').length).toBe(1);
    await until(async () => (await mesh.stored('WEIR_RETRY')) === 0, { what: 'nothing is parked' });
    expect([await mesh.stored('WEIR_DLQ'), app.seen.filter(({ body }) => body === '7').length]).toEqual([2, 3]);
    expect(await metricsOf(mesh.callee, /^weir_dead_letters_total/)).toBe(
      ['unprocessable', 'deliveries_spent']
        .map((reason) => `weir_dead_letters_total{queue="retry",reason="${reason}"} 1`)
        .join('\n'),
    );
  });
});

describe('a proxy of several threads', () => {
  it('parks and delivers as one of one thread', async () => {
    const app = await startCountingApp();
    cleanups.push(() => app.stop());
    const nats = await startNatsServer();
    const control = await startTestControlPlane(nats.url);
    cleanups.push(
      () => nats.stop(),
      () => control.close(),
    );
    await control.isReady();
    const file = join(tempDir('policy').path, 'pay.yaml');
    writeFileSync(file, policyOf(''));
    const doors = ['inbound', 'outbound', 'health', 'metrics', 'admin'].flatMap((door) => [`--${door}`, '127.0.0.1:0']);
    const sidecar = async (...more: string[]): Promise<WeirProcess> => {
      const all = ['sidecar', ...doors, '--nats', nats.url, '--policy', file, '--concurrency', '2', ...more];
      const started = await startWeir(all);
      cleanups.push(() => started.stop());
      return started;
    };
    await sidecar('--service', 'shop/pay', '--app', app.address);
    const caller = await sidecar('--service', 'shop/caller', '--endpoint', 'shop/pay=127.0.0.1:1');
    const post = (body: string): Promise<Reply> =>
      send(text(caller.listening, 'outbound'), { method: 'POST', path: '/', headers: { host: 'pay' } }, body);
    // Until there is a connection, nothing can be parked.
    await until(async () => (await post('0')).status === 202, { what: 'one is parked', timeoutMs: 10_000 });
    const replies = await Promise.all(Array.from({ length: 40 }, (_, i) => post(String(i + 1))));
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([202]));
    expect(new Set(replies.map(({ headers: seen }) => seen['weir-parked'])).size).toBe(40);
    await until(() => new Set(app.seen.map(({ body }) => body)).size === 41, {
      what: 'all are delivered',
      timeoutMs: 10_000,
    });
    expect(app.seen.length).toBe(41);
  });
});

describe('a request that cannot be parked', () => {
  it('is refused with its own reason where the queue is full, or nobody stores', async () => {
    const app = await startCountingApp();
    await app.stop();
    const mesh = await start(app.address, policyOf('', ''));
    await mesh.streams.streams.update('WEIR_RETRY', { max_msgs: 1 });
    expect([(await mesh.post('first')).status, (await mesh.post('second')).status]).toEqual([202, 503]);
    await mesh.nats.kill9();
    await until(async () => /connected 0/.test(await metricsOf(mesh.caller, /^weir_control_plane_connected/)), {
      what: 'the caller knows',
    });
    const refused = await mesh.post('third');
    expect([refused.status, refused.headers['weir-reason']]).toEqual([503, 'upstream_connect']);
    expect(await metricsOf(mesh.caller, /^weir_parked_total/)).toBe(
      ['parked', 'unreachable', 'full']
        .map((result) => `weir_parked_total{upstream="shop/pay",result="${result}"} 1`)
        .join('\n'),
    );
    await mesh.nats.restart();
  });
});
