/** Staged rollouts on a real nats-server, with 20 instances that answer and count as the candidate makes them. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RolloutView } from '../../proto/api-rollout.ts';
import type { PolicySpec } from '../../proto/policy/schema.ts';
import { type ApiAnswer, startTestControlPlane, type TestControlPlane } from '../support/control-plane.ts';
import { startNatsServer, type TestNatsServer } from '../support/nats-server.ts';
import { type Behaviour, ScriptedSidecars } from '../support/scripted-sidecars.ts';
import { until } from '../support/until.ts';

const policies = '/v1/namespaces/shop/policies';
const rolloutPath = `${policies}/payments/rollout`;
const policy = (limit: number) => ({
  apiVersion: 'weir.dev/v1alpha1',
  kind: 'TrafficPolicy',
  metadata: { name: 'payments', namespace: 'shop' },
  spec: { target: { service: 'payments' }, inbound: { concurrency: { fixed: { limit } } } },
});
const limitOf = (spec: PolicySpec | null): number => spec?.inbound?.concurrency?.fixed?.limit ?? 0;
const stages = (holdMs: number) => [
  { percent: 10, hold: `${holdMs}ms` },
  { percent: 50, hold: `${holdMs}ms` },
];
const harmless: Behaviour = { refusal: () => '', outcome: () => ({ rejected: 0, failed: 0 }) };

let nats: TestNatsServer;
let controlPlane: TestControlPlane;
let sidecars: ScriptedSidecars;
let etag: string;
const started: TestControlPlane[] = [];

async function start(id: string): Promise<TestControlPlane> {
  const one = await startTestControlPlane(nats.url, { argv: ['--id', id, '--metrics', '127.0.0.1:0'] });
  started.push(one);
  await one.isReady();
  return one;
}

beforeEach(async () => {
  nats = await startNatsServer();
  controlPlane = await start('cp-0');
  sidecars = await ScriptedSidecars.start(nats.url, 'payments', 20, harmless);
  const created = await controlPlane.ask('POST', policies, { body: policy(64) });
  etag = created.headers.get('etag') ?? '';
  await obeyed(64, 20);
});

afterEach(async () => {
  await sidecars.close();
  await Promise.all(started.splice(0).map((each) => each.close()));
  await nats.stop();
});

const obeying = (limit: number): number => sidecars.sidecars.filter(({ spec }) => limitOf(spec) === limit).length;

async function obeyed(limit: number, count: number, timeoutMs = 5_000): Promise<void> {
  await until(() => obeying(limit) === count, { what: `${count} instances obey ${limit}`, timeoutMs });
  await until(
    async () => JSON.stringify((await controlPlane.ask('GET', '/v1/services')).body).includes('"applied":20'),
    { what: 'all have said so' },
  );
}

function begin(limit: number, holdMs: number, more: object = {}): Promise<ApiAnswer> {
  const body = { policy: policy(limit), stages: stages(holdMs), ...more };
  return controlPlane.ask('POST', `${rolloutPath}?reason=smaller`, { body, headers: { 'if-match': etag } });
}

async function phase(wanted: string, at: TestControlPlane = controlPlane): Promise<RolloutView> {
  return until(
    async () => {
      const rollout = viewOf(await at.ask('GET', rolloutPath));
      return rollout.phase === wanted ? rollout : undefined;
    },
    { what: `the rollout is ${wanted}`, timeoutMs: 10_000 },
  );
}

function viewOf({ body }: ApiAnswer): RolloutView {
  return JSON.parse(JSON.stringify(body));
}

describe('a staged rollout', () => {
  it('goes by its stages to a new revision, and the document is what it was until then', async () => {
    const begun = await begin(32, 300);
    expect(begun.status).toBe(201);
    expect(begun.body).toMatchObject({ phase: 'progressing', percent: 10, by: 'loopback', baseRevision: 1 });
    await until(() => obeying(32) === 2, { what: '10 % obey the candidate', intervalMs: 1 });
    expect((await controlPlane.ask('GET', `${policies}/payments`)).body).toMatchObject(policy(64));
    await until(() => obeying(32) > 2 && obeying(32) < 20, { what: 'half of them obey it', intervalMs: 1 });
    await phase('promoted');
    await obeyed(32, 20);
    const history = await controlPlane.ask('GET', `${policies}/payments/revisions`);
    expect(history.body).toMatchObject({
      items: [
        { revision: 2, by: 'loopback', reason: 'rollout: smaller', summary: 'inbound.concurrency.fixed.limit 64 → 32' },
        { revision: 1 },
      ],
    });
  });

  it('stops at the first stage by itself when an instance refuses it, and nobody else ever had it', async () => {
    let most = 0;
    sidecars.behaviour = {
      ...harmless,
      refusal: (_, spec) => {
        most = Math.max(most, obeying(1));
        return limitOf(spec) === 1 ? 'it cannot be so small' : '';
      },
    };
    await begin(1, 60_000);
    const over = await phase('rolledBack');
    expect(over.steps.at(-1)?.text).toMatch(/^shop\/payments\/payments-\d+ refused it because it cannot be so small/);
    expect(most).toBe(0);
    expect(await (await fetch(controlPlane.metricsUrl ?? '')).text()).toContain(
      'weir_control_plane_rollouts{phase="rolledBack"} 1',
    );
    await obeyed(64, 20);
    expect((await controlPlane.ask('GET', `${policies}/payments/revisions`)).body).toMatchObject({
      items: [{ revision: 1 }],
    });
  });

  it('stops at the first stage by itself when the candidate rejects, with the evidence', async () => {
    sidecars.behaviour = {
      ...harmless,
      outcome: (_, spec) => ({ rejected: limitOf(spec) === 1 ? 7 : 0, failed: 0 }),
    };
    await begin(1, 60_000);
    const over = await phase('rolledBack');
    const [evidence] = over.steps.at(-1)?.evidence ?? [];
    expect(evidence).toMatchObject({ side: 'inbound', measure: 'rejected', comparedWith: 'stable' });
    expect(over.steps.map(({ percent }) => percent)).toEqual([10, 10]);
    await obeyed(64, 20);
  });

  it('waits while it is paused, goes on, and is taken back when somebody says so', async () => {
    await begin(32, 100);
    const versions = { 'if-match': '*' };
    expect((await controlPlane.ask('POST', `${rolloutPath}/pause`)).status).toBe(428);
    const paused = await controlPlane.ask('POST', `${rolloutPath}/pause?reason=lunch`, { headers: versions });
    expect(paused.body).toMatchObject({ phase: 'paused', steps: [{}, { text: 'paused: lunch', by: 'loopback' }] });
    expect((await controlPlane.ask('POST', `${rolloutPath}/pause`, { headers: versions })).status).toBe(409);
    const stale = await controlPlane.ask('POST', `${rolloutPath}/abort`, { headers: { 'if-match': '"1"' } });
    expect(stale).toMatchObject({ status: 412, body: { current: { phase: 'paused' } } });
    const dry = await controlPlane.ask('POST', `${rolloutPath}/abort?dryRun=All`, { headers: versions });
    expect(dry.body).toMatchObject({ phase: 'aborted' });
    await phase('paused');
    expect((await controlPlane.ask('POST', `${rolloutPath}/abort`, { headers: versions })).status).toBe(200);
    await obeyed(64, 20);
    expect((await controlPlane.ask('POST', `${rolloutPath}/resume`, { headers: versions })).status).toBe(409);
  });

  it('is over when somebody writes the policy, and refuses what cannot be rolled out', async () => {
    expect((await controlPlane.ask('POST', rolloutPath, { body: { policy: policy(32) } })).status).toBe(428);
    expect((await begin(64, 1000)).body).toMatchObject({ status: 409, detail: 'the policy says that already' });
    expect((await begin(32, 60_000)).status).toBe(201);
    expect((await begin(16, 60_000)).status).toBe(409);
    await until(() => obeying(32) === 2, { what: '10 % obey the candidate' });
    const headers = { 'if-match': etag };
    expect((await controlPlane.ask('PUT', `${policies}/payments`, { body: policy(8), headers })).status).toBe(200);
    await obeyed(8, 20);
    await phase('superseded');
  });

  it('outlives the control plane that drives it', async () => {
    const other = await start('cp-1');
    await begin(32, 600);
    await until(() => obeying(32) === 2, { what: '10 % obey the candidate' });
    await controlPlane.close();
    controlPlane = other;
    const over = await phase('promoted', other);
    expect(over.steps.map(({ percent }) => percent)).toEqual([10, 50, 50]);
    await obeyed(32, 20);
  });
});
