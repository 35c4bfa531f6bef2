/** The control plane on a real nats-server: the life of a policy, also when something dies on the way. */
import { connect, type NatsConnection } from 'nats';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTestControlPlane, type TestControlPlane } from '../support/control-plane.ts';
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
let seenAtMs: number[];
const started: TestControlPlane[] = [];

beforeEach(async () => {
  nats = await startNatsServer();
  controlPlane = await start();
  connection = await connect({ servers: nats.url, maxReconnectAttempts: -1, reconnectTimeWait: 100 });
  bundles = [];
  seenAtMs = [];
  connection.subscribe('weir.pol.svc.shop.payments', {
    callback: (_, message) => {
      bundles.push(message.json());
      seenAtMs.push(performance.now());
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

const etagOf = (answer: { headers: Headers }): string => answer.headers.get('etag') ?? '';

describe('the life of a policy', () => {
  it('goes from the API to a bundle that subscribers see, and through replacement to deletion', async () => {
    const created = await controlPlane.ask('POST', path, { body: policy(64) });
    expect(created.status).toBe(201);
    expect(created.headers.get('location')).toBe(`${path}/payments`);
    expect(created.body).toMatchObject({ metadata: { generation: 1, resourceVersion: JSON.parse(etagOf(created)) } });
    await until(() => bundles.length === 1, { what: 'the bundle is seen' });
    expect(bundles[0]).toMatchObject({
      target: 'shop/payments',
      version: 1,
      stable: { inbound: { concurrency: { fixed: { limit: 64 } } } },
    });

    expect((await controlPlane.ask('PUT', `${path}/payments`, { body: policy(32) })).status).toBe(428);
    const stale = await controlPlane.ask('PUT', `${path}/payments`, {
      body: policy(32),
      headers: { 'if-match': '"99999"' },
    });
    expect(stale.status).toBe(412);
    expect(stale.body).toMatchObject({ current: { spec: { inbound: { concurrency: { fixed: { limit: 64 } } } } } });
    const replaced = await controlPlane.ask('PUT', `${path}/payments`, {
      body: policy(32),
      headers: { 'if-match': etagOf(created) },
    });
    expect(replaced.status).toBe(200);
    expect(replaced.body).toMatchObject({ metadata: { generation: 2 } });
    await until(() => bundles.length === 2, { what: 'the second bundle is seen' });
    expect(bundles[1]).toMatchObject({ version: 2, epoch: bundles[0]?.epoch });
    expect(bundles[1]?.hash).not.toBe(bundles[0]?.hash);

    const deleted = await controlPlane.ask('DELETE', `${path}/payments`, { headers: { 'if-match': etagOf(replaced) } });
    expect(deleted.status).toBe(200);
    await until(() => bundles.length === 3, { what: 'the emptied bundle is seen' });
    expect(bundles[2]).toMatchObject({ version: 3, stable: null });
    expect((await controlPlane.ask('GET', `${path}/payments`)).status).toBe(404);

    const again = await controlPlane.ask('POST', path, { body: policy(16) });
    expect(again.status).toBe(201);
    const history = await controlPlane.ask('GET', `${path}/payments/revisions`);
    expect(history.body).toMatchObject({
      items: [
        { revision: 4, action: 'create' },
        { revision: 3, action: 'delete', policy: null },
        { revision: 2, action: 'update', summary: 'inbound.concurrency.fixed.limit 64 → 32' },
        { revision: 1, action: 'create', by: 'loopback' },
      ],
    });
    const manager = await connection.jetstreamManager();
    await until(async () => (await manager.streams.info('WEIR_EVENTS')).state.messages === 4, {
      what: 'four audit entries',
    });
    const entry = await manager.streams.getMessage('WEIR_EVENTS', { seq: 2 });
    expect(entry.json()).toMatchObject({
      kind: 'policy',
      policy: 'shop/payments',
      action: 'update',
      by: 'loopback',
      revision: 2,
    });
  });

  it('refuses a wrong one with every error and its place, and changes nothing', async () => {
    const wrong = {
      ...policy(0),
      spec: {
        target: { service: 'payments' },
        inbound: { rateLimits: [{ name: 'x', rate: '-5/s' }], kew: 1 },
        outbound: { timeout: '5 parsecs' },
      },
    };
    const answer = await controlPlane.ask('POST', path, { body: wrong });
    expect(answer.status).toBe(422);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    const pointers = JSON.stringify(answer.body);
    for (const pointer of ['/spec/inbound/rateLimits/0/rate', '/spec/inbound/kew', '/spec/outbound/timeout']) {
      expect(pointers).toContain(pointer);
    }
    const yaml = await controlPlane.ask('POST', path, {
      text: 'a: [1\nb',
      headers: { 'content-type': 'application/yaml' },
    });
    expect(yaml).toMatchObject({
      status: 422,
      body: { errors: expect.arrayContaining([expect.objectContaining({ line: 2, column: 1 })]) },
    });
    expect(await controlPlane.ask('POST', path, { text: '{"a":' })).toMatchObject({ status: 400 });
    expect((await controlPlane.ask('GET', '/v1/policies')).body).toEqual({ items: [] });
    expect(bundles).toEqual([]);
  });

  it('lets dry runs and conflicts change nothing, and refuses what it does not know', async () => {
    const dry = await controlPlane.ask('POST', `${path}?dryRun=All`, { body: policy(64) });
    expect(dry.status).toBe(200);
    expect((await controlPlane.ask('GET', `${path}/payments`)).status).toBe(404);
    expect((await controlPlane.ask('POST', path, { body: policy(64) })).status).toBe(201);
    expect((await controlPlane.ask('POST', path, { body: policy(65) })).status).toBe(409);
    expect(await controlPlane.ask('POST', `${path}?force=1`, { body: policy(64) })).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/query/force', message: 'is not known here' }] },
    });
    expect((await controlPlane.ask('PATCH', path)).status).toBe(404);
    const large = await controlPlane.ask('POST', path, { text: JSON.stringify({ a: 'x'.repeat(2 ** 20) }) });
    expect(large.status).toBe(413);
  });

  it('lists in pages', async () => {
    for (const name of ['a', 'b', 'c']) await controlPlane.ask('POST', path, { body: policy(1, name) });
    const first = await controlPlane.ask('GET', '/v1/policies?limit=2');
    expect(first.body).toMatchObject({ items: [{ metadata: { name: 'a' } }, { metadata: { name: 'b' } }] });
    const next =
      typeof first.body === 'object' && first.body && 'continue' in first.body ? String(first.body.continue) : '';
    const second = await controlPlane.ask('GET', `/v1/policies?namespace=shop&limit=2&continue=${next}`);
    expect(second.body).toEqual({
      items: [expect.objectContaining({ metadata: expect.objectContaining({ name: 'c' }) })],
    });
  });

  it('has one winner among writers of the same version at two control planes', async () => {
    const other = await start(['--id', 'cp-1']);
    const created = await controlPlane.ask('POST', path, { body: policy(64) });
    const headers = { 'if-match': etagOf(created) };
    const answers = await Promise.all(
      [controlPlane, other, controlPlane, other].map((each, index) =>
        each.ask('PUT', `${path}/payments`, { body: policy(index + 1), headers }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412, 412, 412]);
    const winner = answers.findIndex(({ status }) => status === 200) + 1;
    await until(() => bundles.at(-1)?.stable?.inbound.concurrency.fixed.limit === winner, {
      what: 'the winner is published',
    });
    for (const each of [controlPlane, other]) {
      await until(
        async () => JSON.stringify((await each.ask('GET', `${path}/payments`)).body).includes(`"limit":${winner}`),
        {
          what: 'both show the winner',
        },
      );
    }
  });

  it('is pushed within 250 ms of the answer', async () => {
    let current = await controlPlane.ask('POST', path, { body: policy(1) });
    const pushMs: number[] = [];
    const wholeMs: number[] = [];
    for (let limit = 2; limit <= 21; limit++) {
      const before = bundles.length;
      const askedMs = performance.now();
      current = await controlPlane.ask('PUT', `${path}/payments`, {
        body: policy(limit),
        headers: { 'if-match': etagOf(current) },
      });
      const answeredMs = performance.now();
      await until(() => bundles.length > before, { what: 'the bundle is seen', intervalMs: 1 });
      pushMs.push((seenAtMs.at(-1) ?? 0) - answeredMs);
      wholeMs.push((seenAtMs.at(-1) ?? 0) - askedMs);
    }
    for (const times of [pushMs, wholeMs]) times.sort((a, b) => a - b);
    const shown = (times: number[]) => `median ${times[10]?.toFixed(1)} ms, worst ${times.at(-1)?.toFixed(1)} ms`;
    console.log(`seen after the answer: ${shown(pushMs)}; after the request: ${shown(wholeMs)}`);
    expect(pushMs.at(-1)).toBeLessThan(250);
  });
});

describe('what may break', () => {
  it('a killed nats-server loses no policy; reads go on, marked stale; writes are refused, then work again', async () => {
    const created = await controlPlane.ask('POST', path, { body: policy(64) });
    await nats.kill9();
    await until(async () => (await controlPlane.ask('GET', '/v1/policies')).headers.get('weir-stale') === 'true', {
      what: 'reads are stale',
    });
    const read = await controlPlane.ask('GET', `${path}/payments`);
    expect(read.status).toBe(200);
    const refused = await controlPlane.ask('PUT', `${path}/payments`, {
      body: policy(65),
      headers: { 'if-match': etagOf(created) },
    });
    expect(refused).toMatchObject({ status: 503 });
    await nats.restart();
    const restartedMs = performance.now();
    // Who is not back yet would miss the bundle: nobody sends it again to who sends no heartbeats.
    await until(() => connection.rtt(), { what: 'the subscriber is back' });
    await until(
      async () =>
        (
          await controlPlane.ask('PUT', `${path}/payments`, {
            body: policy(65),
            headers: { 'if-match': etagOf(created) },
          })
        ).status === 200,
      { what: 'writes work again', timeoutMs: 5_000 },
    );
    console.log(`writes work again ${(performance.now() - restartedMs).toFixed(0)} ms after the nats-server is back`);
    await until(() => bundles.at(-1)?.version === 2, { what: 'the new bundle is seen' });
  });

  it('a control plane that starts later knows every policy, and finishes what a crash left undone', async () => {
    await controlPlane.ask('POST', path, { body: policy(64) });
    await controlPlane.close();
    // As if it had died after the document was written: the bundle is gone, so is the revision.
    const manager = await connection.jetstreamManager();
    await manager.streams.purge('KV_weir_policy', { filter: '$KV.weir_policy.svc.shop.payments' });
    await manager.streams.purge('KV_weir_policy', { filter: '$KV.weir_policy.rev.>' });
    const before = bundles.length;
    const next = await start();
    await until(() => bundles.length > before, { what: 'the bundle is published again' });
    await until(
      async () =>
        (await manager.streams.info('KV_weir_policy', { subjects_filter: '$KV.weir_policy.rev.>' })).state.subjects,
      { what: 'the revision is written again' },
    );
    expect((await next.ask('GET', `${path}/payments`)).status).toBe(200);
  });

  it('a wiped bucket is written again, and its bundles have a later epoch', async () => {
    await controlPlane.ask('POST', path, { body: policy(64) });
    await until(() => bundles.length === 1, { what: 'the bundle is seen' });
    const manager = await connection.jetstreamManager();
    await manager.streams.delete('KV_weir_policy');
    await until(() => bundles.length === 2, { what: 'the bundle is published again', timeoutMs: 10_000 });
    expect(bundles[1]).toMatchObject({ version: 1, hash: bundles[0]?.hash });
    expect(String(bundles[1]?.epoch) > String(bundles[0]?.epoch)).toBe(true);
    const read = await controlPlane.ask('GET', `${path}/payments`);
    const replaced = await controlPlane.ask('PUT', `${path}/payments`, {
      body: policy(1),
      headers: { 'if-match': etagOf(read) },
    });
    expect(replaced.status).toBe(200);
  });
});
