/** A staged rollout over real sidecars and real requests: who is chosen obeys, and a policy that refuses too much goes. */
import { afterEach, describe, expect, it } from 'vitest';
import { startTestControlPlane } from '../support/control-plane.ts';
import { startHttpApp } from '../support/http-app.ts';
import { startNatsServer } from '../support/nats-server.ts';
import { sidecarDoors, startWeir, text } from '../support/process.ts';
import { until } from '../support/until.ts';
import * as web from '../support/web.ts';

const policies = '/v1/namespaces/shop/policies';
const policy = (burst: number) => ({
  apiVersion: 'weir.dev/v1alpha1',
  kind: 'TrafficPolicy',
  metadata: { name: 'orders', namespace: 'shop' },
  spec: {
    target: { service: 'orders' },
    inbound: { rateLimits: [{ name: 'all', rate: '1000/s', burst: 1_000 }], concurrency: { fixed: { limit: burst } } },
  },
});
const tooTight = {
  ...policy(64),
  spec: { target: { service: 'orders' }, inbound: { rateLimits: [{ name: 'all', rate: '1/h', burst: 1 }] } },
};
afterEach(web.release);

const get = async (address: string): Promise<number> => (await web.get(address, '/')).status;

describe('a staged rollout over live sidecars', () => {
  it('is obeyed by who is chosen, and taken back by itself when it refuses too much', async () => {
    const nats = await startNatsServer();
    web.later(() => nats.stop());
    const controlPlane = await startTestControlPlane(nats.url);
    web.later(() => controlPlane.close());
    const app = await startHttpApp();
    web.later(() => app.stop());
    const sidecars = await Promise.all(
      ['a', 'b'].map((instance) =>
        startWeir([
          ...['sidecar', '--service', 'shop/orders', '--instance', instance, '--app', app.address],
          ...['--app-protocol', 'http1', '--nats', nats.url, '--log-format', 'json', ...sidecarDoors],
        ]),
      ),
    );
    for (const sidecar of sidecars) web.later(() => sidecar.stop());
    const inbounds = sidecars.map((sidecar) => text(sidecar.listening, 'inbound'));
    await controlPlane.isReady();
    const ask = async (method: string, path: string, options = {}) =>
      JSON.parse(JSON.stringify((await controlPlane.ask(method, path, options)).body));
    await ask('POST', policies, { body: policy(64) });
    await until(async () => JSON.stringify(await ask('GET', '/v1/services')).includes('"summary":"2/2"'), {
      what: 'both obey the policy',
    });

    let isOver = false;
    const seen: [number[], number[]] = [[], []];
    const load = inbounds.map(async (address, i) => {
      while (!isOver) {
        seen[i]?.push(await get(address));
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    });
    const begun = await ask('POST', `${policies}/orders/rollout`, {
      body: { policy: tooTight, stages: [{ percent: 50, hold: '1m' }] },
      headers: { 'if-match': '*' },
    });
    expect(begun).toMatchObject({ phase: 'progressing', percent: 50 });
    const over = await until(
      async () => {
        const rollout = await ask('GET', `${policies}/orders/rollout`);
        return rollout.phase === 'rolledBack' ? rollout : undefined;
      },
      { what: 'it is taken back', timeoutMs: 10_000 },
    );
    const statusesAfter = await until(
      async () => {
        const statuses = await Promise.all(inbounds.map(get));
        return statuses.every((status) => status === 200) && statuses;
      },
      { what: 'everybody is served again' },
    );
    isOver = true;
    await Promise.all(load);
    expect(statusesAfter).toEqual([200, 200]);
    const refused = seen.map((statuses) => statuses.filter((status) => status === 429).length);
    // One of the two was chosen, and nobody else ever refused anything.
    expect(Math.min(...refused)).toBe(0);
    expect(Math.max(...refused)).toBeGreaterThan(20);
    expect(over.steps.at(-1).text).toMatch(
      /^instances with the candidate reject [\d.]+ % of \d+ requests, the others 0.0 %/,
    );
  });
});
