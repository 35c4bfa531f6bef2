/** What autoscalers ask a control plane: over REST and as Prometheus series, of sidecars that are heard over NATS. */
import { connect, type NatsConnection } from 'nats';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeHeartbeat } from '../../proto/fleet.ts';
import { subjects } from '../../proto/subjects.ts';
import { startTestControlPlane, type TestControlPlane } from '../support/control-plane.ts';
import { startNatsServer, type TestNatsServer } from '../support/nats-server.ts';
import { until } from '../support/until.ts';

let nats: TestNatsServer;
let controlPlane: TestControlPlane;
let speaker: NatsConnection;
let timer: NodeJS.Timeout;
let seq = 0;

/** 6 at once, and twice as many calls refused by a breaker as there are requests in orders. */
function beat(): void {
  seq++;
  for (const [service, rejected] of [
    ['payments', 0],
    ['orders', 20],
  ] as const) {
    const identity = { namespace: 'shop', service, instance: `${service}-0`, incarnation: 'a', zone: '', version: '1' };
    const requests = 10 * seq;
    const inbound = { direction: 'inbound', peer: `shop/${service}`, requests, success: requests, inFlight: 6 };
    const outbound = { direction: 'outbound', peer: 'shop/bank', requests, rejected: { breaker_open: rejected * seq } };
    const bytes = encodeHeartbeat({ identity, seq, intervalMs: 1000, traffic: [inbound, outbound] });
    speaker.publish(subjects.heartbeat(identity, identity.instance), bytes);
  }
}

beforeAll(async () => {
  nats = await startNatsServer();
  controlPlane = await startTestControlPlane(nats.url, { argv: ['--metrics', '127.0.0.1:0'] });
  await controlPlane.isReady();
  speaker = await connect({ servers: nats.url });
  timer = setInterval(beat, 100);
});

afterAll(async () => {
  clearInterval(timer);
  await speaker.close();
  await controlPlane.close();
  await nats.stop();
});

const scalingOf = async (service: string, query = '') =>
  (await controlPlane.ask('GET', `/v1/namespaces/shop/services/${service}/scaling${query}`)).body;

describe('scaling signals', () => {
  it('are told over REST, with where the bottleneck is, and nothing is wanted of what is not known', async () => {
    await until(async () => JSON.stringify(await scalingOf('payments')).includes('"wanted":1'), { what: 'two beats' });
    expect(await scalingOf('payments', '?targetConcurrency=4')).toEqual({
      wanted: 2,
      demand: 6,
      targetConcurrency: 4,
      bottleneck: 'service',
      explanation: '6 at once and 0 refused, 4 each',
    });
    expect(await scalingOf('orders', '?targetConcurrency=4')).toMatchObject({ wanted: 1, bottleneck: 'downstream' });
    expect(await scalingOf('nobody')).toMatchObject({ wanted: null });
    const refused = await controlPlane.ask('GET', '/v1/namespaces/shop/services/payments/scaling?targetConcurrency=0');
    expect(refused.status).toBe(400);
  });

  it('are series of the control plane', async () => {
    const text = await (await fetch(controlPlane.metricsUrl ?? '')).text();
    expect(text).toContain('weir_scaling_wanted_instances{namespace="shop",service="payments"} 1');
    expect(text).toContain('weir_scaling_demand{namespace="shop",service="payments"} 6');
    expect(text).toContain('weir_scaling_bottleneck{namespace="shop",service="payments"} 0');
    expect(text).toContain('weir_scaling_bottleneck{namespace="shop",service="orders"} 1');
  });
});
