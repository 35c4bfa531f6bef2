/** An operator forces a fleet breaker over any of two control planes, on a real nats-server; callers hear it. */
import { connect, type NatsConnection } from 'nats';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { decodeVerdict, type Verdict } from '../../proto/fleet.ts';
import { startTestControlPlane, type TestControlPlane } from '../support/control-plane.ts';
import { startNatsServer, type TestNatsServer } from '../support/nats-server.ts';
import { until } from '../support/until.ts';

const breaker = '/v1/namespaces/shop/services/payments/breaker';
const spec = { target: { service: 'payments' }, outbound: { circuitBreaker: { consecutiveFailures: 5 } } };
const policy = {
  apiVersion: 'weir.dev/v1alpha1',
  kind: 'TrafficPolicy',
  metadata: { name: 'payments', namespace: 'shop' },
  spec,
};
const wish = { state: 'forced_open', reason: 'the database moves', expiresIn: '10m' };

const refused: readonly (readonly [object, number])[] = [
  [{ reason: '' }, 400],
  [{ state: 'open' }, 400],
  [{ expiresIn: '25h' }, 422],
  [{ expiresIn: undefined }, 400],
];

let nats: TestNatsServer;
let both: TestControlPlane[];
let connection: NatsConnection;
let verdicts: Verdict[];

beforeEach(async () => {
  nats = await startNatsServer();
  both = await Promise.all(['cp-0', 'cp-1'].map((id) => startTestControlPlane(nats.url, { argv: ['--id', id] })));
  await Promise.all(both.map((one) => one.isReady()));
  connection = await connect({ servers: nats.url });
  verdicts = [];
  connection.subscribe('weir.brk.shop.payments', {
    callback: (_, message) => {
      const verdict = decodeVerdict(message.data);
      if (verdict) verdicts.push(verdict);
    },
  });
  await connection.flush();
});

afterEach(async () => {
  await connection.close();
  await Promise.all(both.map((one) => one.close()));
  await nats.stop();
});

it('is a verdict with its reason and its end, by whichever control plane it is asked, until it is reset', async () => {
  const [first, second] = both as [TestControlPlane, TestControlPlane];
  for (const [change, status] of refused) {
    expect((await first.ask('PUT', breaker, { body: { ...wish, ...change } })).status).toBe(status);
  }
  expect((await first.ask('PUT', breaker, { body: wish })).status, 'nobody would obey').toBe(409);
  expect((await first.ask('POST', '/v1/namespaces/shop/policies', { body: policy })).status).toBe(201);
  for (const one of both) {
    const answer = await until(
      async () => {
        const tried = await one.ask('PUT', breaker, { body: wish });
        return tried.status === 200 ? tried : undefined;
      },
      { what: 'it is forced', timeoutMs: 8000 },
    );
    expect(answer.body).toMatchObject({
      state: 'forced_open',
      rule: 'forced',
      evidence: 'loopback: the database moves',
    });
  }
  const said = await until(() => verdicts.findLast(({ state }) => state === 'forced_open'), {
    what: 'it is announced',
  });
  expect(said.expiresInMs).toBeGreaterThan(590_000);
  expect(said.expiresInMs).toBeLessThanOrEqual(600_000);
  const listed = await second.ask('GET', '/v1/breakers?namespace=shop');
  expect(listed.body).toMatchObject({ items: [{ target: 'shop/payments', state: 'forced_open' }] });

  // What was forced open has to prove itself.
  expect((await second.ask('DELETE', breaker)).body).toMatchObject({ state: 'open', expiresInMs: null });
  await until(async () => (await first.ask('DELETE', breaker)).status === 409, { what: 'nothing is forced any more' });
});
