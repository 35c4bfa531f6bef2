/** What a policy would do, asked through the control plane of sidecars that recorded real requests; in one thread and two. */
import http from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { startTestControlPlane } from '../support/control-plane.ts';
import { startHttpApp } from '../support/http-app.ts';
import { startNatsServer } from '../support/nats-server.ts';
import { startWeir, text } from '../support/process.ts';
import { until } from '../support/until.ts';

const path = '/v1/namespaces/shop/policies/orders/impact';
const policy = (inbound: object) => ({
  apiVersion: 'weir.dev/v1alpha1',
  kind: 'TrafficPolicy',
  metadata: { name: 'orders', namespace: 'shop' },
  spec: { target: { service: 'orders' }, inbound },
});
const doors = ['inbound', 'outbound', 'health', 'metrics', 'admin'].flatMap((door) => [`--${door}`, '127.0.0.1:0']);

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function get(address: string): Promise<number> {
  const [host, port] = address.split(':');
  return new Promise((resolve, reject) => {
    const request = http.get({ host, port, path: '/orders?id=1', agent: false }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    });
    request.on('error', reject);
  });
}

describe.each([1, 2])('the impact of a policy on a sidecar with --concurrency %i', (concurrency) => {
  it('is what the policy would have done with the requests of late, and does nothing', async () => {
    const nats = await startNatsServer();
    cleanups.push(() => nats.stop());
    const controlPlane = await startTestControlPlane(nats.url);
    cleanups.push(() => controlPlane.close());
    const app = await startHttpApp();
    cleanups.push(() => app.stop());
    const weir = await startWeir([
      ...['sidecar', '--service', 'shop/orders', '--app', app.address, '--app-protocol', 'http1', '--nats', nats.url],
      ...['--concurrency', String(concurrency), '--log-format', 'json', ...doors],
    ]);
    cleanups.push(() => weir.stop());
    await controlPlane.isReady();
    const limited = policy({ rateLimits: [{ name: 'all', rate: '1/h', burst: 10 }] });
    const ask = () => controlPlane.ask('POST', path, { body: limited });
    await until(async () => JSON.stringify((await ask()).body).includes('no request was recorded'), {
      what: 'the sidecar answers',
    });
    for (let i = 0; i < 40; i++) expect(await get(text(weir.listening, 'inbound'))).toBe(200);
    const answer = await ask();
    expect(answer.body).toMatchObject({
      target: 'shop/orders',
      summary: 'would have rejected 75.0 % of 40 requests; 0.0 % were rejected at the time',
      answered: 1,
      rejected: 30,
      byReason: { rate_limit: 30 },
      routes: [{ route: '/orders', requests: 40, rejected: 30 }],
    });
    expect((await controlPlane.ask('POST', path, { body: policy({ kew: 1 }) })).status).toBe(422);
    expect(await get(text(weir.listening, 'inbound'))).toBe(200);
    expect((await controlPlane.ask('GET', '/v1/policies')).body).toEqual({ items: [] });
  });
});
