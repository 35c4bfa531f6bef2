/** The control plane on a real nats-server: what it makes of heartbeats and acks, and what its leader publishes. */
import { connect, type NatsConnection } from 'nats';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  decodeCommand,
  decodeEndpoints,
  decodeVerdict,
  encodeAck,
  encodeHeartbeat,
  encodeReport,
  type Identity,
} from '../../proto/fleet.ts';
import { shardOf } from '../../proto/subjects.ts';
import { startTestControlPlane, type TestControlPlane, watchFleet } from '../support/control-plane.ts';
import { startNatsServer, type TestNatsServer } from '../support/nats-server.ts';
import { until } from '../support/until.ts';

const path = '/v1/namespaces/shop/policies';
const policy = (limit: number, name = 'payments') => ({
  apiVersion: 'weir.dev/v1alpha1',
  kind: 'TrafficPolicy',
  metadata: { name, namespace: 'shop' },
  spec: { target: { service: 'payments' }, inbound: { concurrency: { fixed: { limit } } } },
});

interface SeenBundle {
  readonly target: string;
  readonly epoch: string;
  readonly version: number;
  readonly hash: string;
  readonly stable: {
    readonly inbound: { readonly concurrency: { readonly fixed: { readonly limit: number } } };
  } | null;
}

let nats: TestNatsServer;
let controlPlane: TestControlPlane;
let connection: NatsConnection;
let bundles: SeenBundle[];
const started: TestControlPlane[] = [];

beforeEach(async () => {
  nats = await startNatsServer();
  controlPlane = await start();
  connection = await connect({ servers: nats.url, maxReconnectAttempts: -1, reconnectTimeWait: 100 });
  bundles = [];
  connection.subscribe('weir.pol.svc.shop.payments', {
    callback: (_, message) => {
      bundles.push(message.json());
    },
  });
  await connection.flush();
});

afterEach(async () => {
  await connection.close();
  await Promise.all(started.splice(0).map((each) => each.close()));
  await nats.stop();
});

async function start(argv: readonly string[] = []): Promise<TestControlPlane> {
  const one = await startTestControlPlane(nats.url, { argv });
  started.push(one);
  await one.isReady();
  return one;
}

const identity = (service: string, instance: string, incarnation = 'i1'): Identity => ({
  namespace: 'shop',
  service,
  instance,
  incarnation,
  zone: '',
  version: '0.1.0',
});

let seq = 0;
function beat(who: Identity, extra: object = {}): void {
  seq++;
  connection.publish(
    `weir.hb.${shardOf(`shop/${who.service}`)}.shop.${who.service}.${who.instance}`,
    encodeHeartbeat({ identity: who, seq, intervalMs: 200, ...extra }),
  );
}

describe('the fleet', () => {
  it('appears with its heartbeats, rates and policy acknowledgements, and goes stale', async () => {
    await controlPlane.ask('POST', path, { body: policy(64) });
    await until(() => bundles.length === 1, { what: 'the bundle is seen' });
    const { hash, version, epoch } = bundles[0]!;
    const applied = { target: 'shop/payments', epoch, version, hash, status: 'applied', message: '' };
    const who = identity('payments', 'payments-0');
    let requests = 0;
    const traffic = () => [
      { direction: 'inbound', peer: 'shop/payments', requests, success: requests, rejected: { rate_limit: requests } },
    ];
    const events = await watchFleet(controlPlane.url);
    expect(events.status).toBe(200);
    const payments = () => events.snapshots.at(-1)?.services.find(({ service }) => service === 'payments');
    beat(who, { traffic: traffic() });
    await until(() => payments()?.policy.expected === 1, { what: 'one sidecar should have it' });
    expect(payments()?.policy).toMatchObject({ version, applied: 0, behind: ['shop/payments/payments-0'] });
    connection.publish('weir.ack.shop.payments.payments-0', encodeAck({ identity: who, applied }));
    await until(() => payments()?.policy.applied === 1, { what: 'the ack is seen' });
    await until(
      () => {
        requests += 10;
        beat(who, { traffic: traffic(), policies: [applied] });
        return (payments()?.inbound.requestsPerSecond ?? 0) > 0;
      },
      { what: 'a rate is known', intervalMs: 100 },
    );
    expect(payments()?.inbound.successRatio).toBe(1);
    expect(payments()?.inbound.rejectedPerSecond.rate_limit).toBeGreaterThan(0);
    await until(() => payments()?.stale === 1, { what: 'silence is seen' });
    expect(payments()?.inbound.requestsPerSecond).toBeNull();
    const instances = await controlPlane.ask('GET', '/v1/instances');
    expect(instances.body).toMatchObject({ items: [{ instance: 'payments-0', state: 'stale' }] });
    await events.close();
  });

  it('does not believe a heartbeat that speaks for somebody else', async () => {
    connection.publish(
      'weir.hb.1.shop.payments.payments-0',
      encodeHeartbeat({ identity: identity('orders', 'orders-0') }),
    );
    beat(identity('payments', 'payments-1'));
    await until(
      async () => JSON.stringify((await controlPlane.ask('GET', '/v1/instances')).body).includes('payments-1'),
      { what: 'the honest one is seen' },
    );
    expect(JSON.stringify((await controlPlane.ask('GET', '/v1/instances')).body)).not.toContain('orders');
  });

  it('is told to read its bundle again where it did not hear it', async () => {
    const commands: string[] = [];
    connection.subscribe('weir.cmd.shop.payments.payments-0', {
      callback: (_, message) => commands.push(decodeCommand(message.data)?.name ?? ''),
    });
    beat(identity('payments', 'payments-0'), { intervalMs: 5_000 });
    await until(() => controlPlane.logged.some(({ msg }) => msg === 'leading'), { what: 'it leads' });
    await controlPlane.ask('POST', path, { body: policy(64) });
    await until(() => commands.length >= 2, { what: 'it is told, and told again' });
    expect(new Set(commands)).toEqual(new Set(['resync']));
    expect(bundles, 'the others hear it once').toHaveLength(1);
  });

  it('has its addresses published by the leader, draining ones marked', async () => {
    const seen: (ReturnType<typeof decodeEndpoints> | undefined)[] = [];
    connection.subscribe('weir.ep.shop.payments', {
      callback: (_, message) => seen.push(decodeEndpoints(message.data)),
    });
    const [one, two] = [identity('payments', 'payments-0'), identity('payments', 'payments-1')];
    let draining = false;
    const timer = setInterval(() => {
      beat(one, { address: '127.0.0.1:9001' });
      beat(two, { address: '127.0.0.1:9002', draining });
    }, 100);
    try {
      await until(() => seen.at(-1)?.endpoints.length === 2, { what: 'both addresses are published' });
      draining = true;
      await until(() => seen.at(-1)?.endpoints[1]?.draining, { what: 'draining is published' });
      expect(seen.at(-1)?.endpoints).toMatchObject([
        { address: '127.0.0.1:9001', draining: false },
        { draining: true },
      ]);
    } finally {
      clearInterval(timer);
    }
    // Withdrawn once it was silent for three heartbeats, but not before we listened long enough to know.
    await until(() => seen.at(-1)?.endpoints.length === 0, {
      what: 'the silent ones are withdrawn',
      timeoutMs: 10_000,
    });
    expect((seen.at(-1)?.version ?? 0) > (seen[0]?.version ?? 0)).toBe(true);
  });

  it('has a breaker opened for all by its callers, shown with its evidence, where the policy asks for one', async () => {
    const verdicts: (ReturnType<typeof decodeVerdict> | undefined)[] = [];
    connection.subscribe('weir.brk.>', { callback: (_, message) => verdicts.push(decodeVerdict(message.data)) });
    const other = await start(['--id', 'cp-1']);
    const breaker = { circuitBreaker: { consecutiveFailures: 5 } };
    const spec = { target: { service: 'payments' }, outbound: breaker };
    await controlPlane.ask('POST', path, { body: { ...policy(1), spec } });
    await until(() => [controlPlane, other].some(({ logged }) => logged.some(({ msg }) => msg === 'leading')), {
      what: 'one leads',
    });
    const report = (target: string, n: number) => {
      for (let caller = 0; caller < 4; caller++) {
        const who = identity('orders', `orders-${caller}`);
        connection.publish(
          `weir.rep.${shardOf(target)}.shop.orders.orders-${caller}`,
          encodeReport({ identity: who, seq: ++seq, intervalMs: 100, targets: [{ target, n, fail: n, demand: n }] }),
        );
      }
    };
    const failingMs = performance.now();
    const timer = setInterval(() => {
      report('shop/payments', 10);
      report('shop/unprotected', 10);
    }, 100);
    try {
      await until(() => verdicts.some((verdict) => verdict?.state === 'open'), { what: 'the breaker is opened' });
      console.log(`opened ${(performance.now() - failingMs).toFixed(0)} ms after the first report of a failure`);
      for (const { url } of [controlPlane, other]) {
        const events = await watchFleet(url);
        const shown = await until(
          () => events.snapshots.at(-1)?.services.find((each) => each.breaker.state === 'open'),
          {
            what: 'every control plane shows it',
          },
        );
        expect(shown).toMatchObject({ service: 'payments', breaker: { voters: 4, failingVoters: 4 } });
        expect(shown.breaker.evidence).toContain('4 of 4 callers');
        expect(
          events.snapshots.at(-1)?.events.some(({ kind, text }) => kind === 'breaker' && text.includes('open')),
        ).toBe(true);
        await events.close();
      }
    } finally {
      clearInterval(timer);
    }
    expect(verdicts.some((verdict) => verdict?.target === 'shop/unprotected' && verdict.state !== 'closed')).toBe(
      false,
    );
  });
});
