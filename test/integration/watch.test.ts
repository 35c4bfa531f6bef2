/** Lists that are kept up to date, and lists in pages, on a real nats-server. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { followEvents, startTestControlPlane, type TestControlPlane } from '../support/control-plane.ts';
import { startNatsServer, type TestNatsServer } from '../support/nats-server.ts';
import { ScriptedSidecars } from '../support/scripted-sidecars.ts';
import { until } from '../support/until.ts';

const policy = (limit: number, name: string, namespace = 'shop') => ({
  apiVersion: 'weir.dev/v1alpha1',
  kind: 'TrafficPolicy',
  metadata: { name, namespace },
  spec: { target: { service: name }, inbound: { concurrency: { fixed: { limit } } } },
});
const whateverIsThere = { 'if-match': '*' };

let nats: TestNatsServer;
let one: TestControlPlane;
let other: TestControlPlane;

beforeAll(async () => {
  nats = await startNatsServer();
  one = await startTestControlPlane(nats.url);
  other = await startTestControlPlane(nats.url, { argv: ['--id', 'cp-1'] });
  await Promise.all([one.isReady(), other.isReady()]);
});

afterAll(async () => {
  await Promise.all([one.close(), other.close()]);
  await nats.stop();
});

/** The events of a stream as they come: `added shop/a`. */
async function follow(controlPlane: TestControlPlane, path: string) {
  const seen: string[] = [];
  const events = await followEvents(controlPlane.url + path, (type, data) => {
    const { metadata, name, namespace, phase } = JSON.parse(data || '{}');
    const key = metadata ? `${metadata.namespace}/${metadata.name}` : name ? `${namespace}/${name} ${phase}` : '';
    if (type !== 'ping') seen.push(`${type} ${key}`.trim());
  });
  return { ...events, seen };
}

const path = '/v1/namespaces/shop/policies';

describe('watching policies', () => {
  it('begins with what is there, and tells what is added, modified and deleted, wherever it was written', async () => {
    await one.ask('POST', path, { body: policy(1, 'a') });
    await one.ask('POST', '/v1/namespaces/bank/policies', { body: policy(1, 'x', 'bank') });
    await until(async () => (await other.ask('GET', `${path}/a`)).status === 200, { what: 'the other knows it' });
    const here = await follow(one, '/v1/policies?watch=true&namespace=shop');
    const there = await follow(other, '/v1/policies?watch=true');
    const step = async (event: string): Promise<void> => {
      for (const { seen } of [here, there])
        await until(() => seen.at(-1) === event, { what: `${event} is told`, intervalMs: 1 });
    };
    await step('synced');
    await one.ask('POST', path, { body: policy(1, 'b') });
    await step('added shop/b');
    await other.ask('PUT', `${path}/b`, { body: policy(2, 'b'), headers: whateverIsThere });
    await step('modified shop/b');
    await one.ask('DELETE', `${path}/b`, { headers: whateverIsThere });
    await step('deleted shop/b');
    const changes = ['synced', 'added shop/b', 'modified shop/b', 'deleted shop/b'];
    expect(here.seen).toEqual(['added shop/a', ...changes]);
    expect(there.seen.filter((event) => !event.endsWith('/x'))).toEqual(['added shop/a', ...changes]);
    await Promise.all([here.close(), there.close()]);
  });

  it('tells of rollouts as well', async () => {
    const watched = await follow(one, '/v1/rollouts?watch=true');
    await until(() => watched.seen.includes('synced'), { what: 'the begin' });
    const etag = (await one.ask('GET', `${path}/a`)).headers.get('etag') ?? '';
    const body = { policy: policy(9, 'a'), stages: [{ percent: 10, hold: '1m' }] };
    await one.ask('POST', `${path}/a/rollout`, { body, headers: { 'if-match': etag } });
    await one.ask('POST', `${path}/a/rollout/abort`, { headers: whateverIsThere });
    await until(() => watched.seen.some((event) => event.endsWith('shop/a aborted')), { what: 'its end is told' });
    await watched.close();
  });
});

describe('lists', () => {
  it('come in pages by name, each item once', async () => {
    const sidecars = await ScriptedSidecars.start(nats.url, 'many', 5, {
      refusal: () => '',
      outcome: () => ({ rejected: 0, failed: 0 }),
    });
    const listed = async (query: string) => {
      const { body } = await one.ask('GET', `/v1/instances?namespace=shop${query}`);
      return JSON.parse(JSON.stringify(body));
    };
    await until(async () => (await listed('')).items.length === 5, { what: 'all are heard' });
    const names: string[] = [];
    let next = '';
    do {
      const page = await listed(`&limit=2${next === '' ? '' : `&continue=${next}`}`);
      names.push(...page.items.map(({ instance }: { instance: string }) => instance));
      next = page.continue ?? '';
    } while (next !== '');
    expect(names).toEqual(['many-0', 'many-1', 'many-2', 'many-3', 'many-4']);
    expect((await one.ask('GET', '/v1/services?limit=1')).body).toMatchObject({ items: [{}] });
    await sidecars.close();
  });
});
