/** What a policy would do, asked through the control plane of sidecars that recorded real requests; in one thread and two. */
import { afterEach, describe, expect, it } from 'vitest';
import { startTestControlPlane } from '../support/control-plane.ts';
import { startHttpApp } from '../support/http-app.ts';
import { startNatsServer } from '../support/nats-server.ts';
import { sidecarDoors, startWeir, text } from '../support/process.ts';
import { until } from '../support/until.ts';
import * as web from '../support/web.ts';

const path = '/v1/namespaces/shop/policies/orders/impact';
const policy = (inbound: object) => ({
  apiVersion: 'weir.dev/v1alpha1',
  kind: 'TrafficPolicy',
  metadata: { name: 'orders', namespace: 'shop' },
  spec: { target: { service: 'orders' }, inbound },
});
afterEach(web.release);

const get = async (address: string): Promise<number> => (await web.get(address, '/orders?id=1')).status;

describe.each([1, 2])('the impact of a policy on a sidecar with --concurrency %i', (concurrency) => {
  it('is what the policy would have done with the requests of late, and does nothing', async () => {
    const nats = await startNatsServer();
    web.later(() => nats.stop());
    const controlPlane = await startTestControlPlane(nats.url);
    web.later(() => controlPlane.close());
    const app = await startHttpApp();
    web.later(() => app.stop());
    const weir = await startWeir([
      ...['sidecar', '--service', 'shop/orders', '--app', app.address, '--app-protocol', 'http1', '--nats', nats.url],
      ...['--concurrency', String(concurrency), '--log-format', 'json', ...sidecarDoors],
    ]);
    web.later(() => weir.stop());
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
