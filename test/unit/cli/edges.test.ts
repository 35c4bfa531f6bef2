/** `weir edges` against a control plane made of a fetch function. */
import { expect, test } from 'vitest';
import { FakeControlPlane, weir } from '../../support/fake-control-plane.ts';

const traffic = {
  ...{ successRatio: 0.95, failuresPerSecond: 2, rejectedPerSecond: { breaker_open: 10 }, p50Ms: 4 },
  ...{ inFlight: 1, concurrencyLimit: null, queueDepth: 0 },
};
const caller = (instance: string, requestsPerSecond: number | null, p99Ms: number | null) => ({
  ...{ namespace: 'shop', service: 'payments', instance, incarnation: 'x1', zone: 'a', version: '0.1.0' },
  ...{ address: '127.0.0.1:9001', state: 'live', lastSeenMs: 700, policies: [], breakers: [] },
  ...{ rssBytes: null, bufferedBytes: null, loopLagMs: null, uptimeMs: null },
  inbound: { ...traffic, requestsPerSecond: 1, p99Ms: 1 },
  outbound: [{ target: 'shop/inventory', traffic: { ...traffic, requestsPerSecond, p99Ms } }],
});

test('edges add the instances of a caller up, but not their percentiles, and leave out what is not known', async () => {
  const api = new FakeControlPlane();
  api.instances = [caller('a', 50, 20), caller('b', 50, 90), caller('c', null, null)];
  const { code, stdout } = await weir(api, 'edges');
  expect(code).toBe(0);
  expect(stdout.split('\n')).toEqual([
    'CALLER          TARGET           INSTANCES   RPS   SUCCESS   WORST P99   REJECTED/S',
    'shop/payments   shop/inventory   2           100   95.0%     90ms        20.0 breaker_open',
    '',
  ]);
  expect(JSON.parse((await weir(api, 'edges -o json')).stdout)).toMatchObject({ items: [{ instances: 2 }] });
});
