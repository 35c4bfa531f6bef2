/**
 * Priorities over real sockets: who may set them, how they go from request to call, and what is left of the important
 * requests when there are too many.
 */
import type http from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { openLoop, type Sent } from '../support/open-loop.ts';
import type { RunningSidecar } from '../support/sidecar.ts';
import { until } from '../support/until.ts';
import { callsOn, get, metric, policyAbout, release, startService, startWebApp } from '../support/web.ts';

const meshToken = 'mesh-secret';
const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
afterEach(release);

/** Answers with the fields of the mesh that it saw. */
const showsFields: http.RequestListener = (request, response) => {
  const seen = Object.entries(request.headers).filter(([name]) => name.startsWith('weir-'));
  response.end(JSON.stringify(Object.fromEntries(seen)));
};

const everyField = {
  'weir-tier': 'critical',
  'weir-user': '3',
  'weir-tenant': 'acme',
  'weir-stands-for': '900',
  'weir-anything': 'x',
};

test('a caller that has not proved to be of the mesh has no say in weir-* fields', async () => {
  const sidecar = await startService('a', await startWebApp(showsFields), []);
  expect((await get(sidecar.inbound, '/', everyField)).body).toBe('{}');
  // Nor when the same head comes again and is the same list.
  for (let i = 0; i < 3; i++) expect((await get(sidecar.inbound, '/', everyField)).body).toBe('{}');
});

test('a caller of the mesh keeps its priority, and the app sees neither the token nor what is for one hop', async () => {
  const sidecar = await startService('a', await startWebApp(showsFields), [], { meshToken });
  const { body } = await get(sidecar.inbound, '/', { ...everyField, 'weir-mesh-token': meshToken });
  expect(JSON.parse(body)).toEqual({
    'weir-tier': 'critical',
    'weir-user': '3',
    'weir-tenant': 'acme',
    'weir-anything': 'x',
  });
});

describe('a chain of three services', () => {
  const priorities = policyAbout(
    'a',
    `  inbound:
    priorities:
      rules:
        - { tier: critical, match: { method: POST, path: { prefix: /checkout } } }
        - { tier: batch, match: { headers: [{ name: x-job, present: {} }] } }
      tenant: { header: x-tenant }
`,
  );
  const links = policyAbout('b', '  inbound: { priorities: {} }\n');

  async function chain(forwards: boolean): Promise<{ a: RunningSidecar; b: RunningSidecar }> {
    const c = await startService('c', await startWebApp(showsFields), [], { meshToken });
    const b: RunningSidecar = await startService(
      'b',
      await startWebApp(callsOn('c.shop', () => b.outbound, forwards)),
      ['--endpoint', `shop/c=${c.inbound}`],
      { meshToken, policy: links },
    );
    const a: RunningSidecar = await startService(
      'a',
      await startWebApp(callsOn('b.shop', () => a.outbound, forwards)),
      ['--endpoint', `shop/b=${b.inbound}`],
      { meshToken, policy: priorities },
    );
    return { a, b };
  }

  test('hands tier, user level and tenant on where apps forward traceparent', async () => {
    const { a, b } = await chain(true);
    const entry = { 'weir-mesh-token': meshToken, 'x-tenant': 'acme', traceparent };
    const critical = JSON.parse((await get(a.inbound, '/checkout/1', entry, 'POST')).body);
    expect(critical).toMatchObject({ 'weir-tier': 'critical', 'weir-tenant': 'acme' });
    expect(Number(critical['weir-user'])).toBeLessThan(128);
    const other = { ...entry, 'x-job': 'nightly', traceparent: traceparent.replace('4bf9', '4bfa') };
    expect(JSON.parse((await get(a.inbound, '/', other)).body)).toMatchObject({ 'weir-tier': 'batch' });
    for (const sidecar of [a, b]) {
      expect(await metric(sidecar.metrics, 'weir_context_inherited_total ')).toBe(2);
      expect(await metric(sidecar.metrics, 'weir_context_lost_total{cause="no_traceparent"} ')).toBe(0);
    }
  });

  test('counts what is lost where they do not', async () => {
    const { a } = await chain(false);
    const entry = { 'weir-mesh-token': meshToken, traceparent };
    expect(JSON.parse((await get(a.inbound, '/checkout', entry, 'POST')).body)).toMatchObject({
      'weir-tier': 'normal',
    });
    expect(await metric(a.metrics, 'weir_context_lost_total{cause="no_traceparent"} ')).toBe(1);
    await get(a.outbound, '/', { host: 'b.shop', traceparent: traceparent.replace('4bf9', '0000') });
    expect(await metric(a.metrics, 'weir_context_lost_total{cause="unknown_trace"} ')).toBe(1);
  });
});

describe('a service of 100 requests a second', () => {
  const policy = (enforcement: string): string =>
    policyAbout(
      'b',
      `  enforcement: ${enforcement}
  inbound:
    concurrency: { fixed: { limit: 4 } }
    queue: { requestsMax: 20, waitMax: 500ms }
    priorities: { rules: [{ tier: high, match: { headers: [{ name: x-class, exact: gold }] } }] }
    levels: {}
  outbound: {}
`,
    );
  /** 40 ms each; the limit of 4 makes that 100 a second. */
  const worker: http.RequestListener = (_request, response) => {
    setTimeout(() => response.end('ok'), 40);
  };

  async function pair(enforcement = 'enforce'): Promise<{ caller: RunningSidecar; callee: RunningSidecar }> {
    const setup = { meshToken, policy: policy(enforcement) };
    const callee = await startService('b', await startWebApp(worker), [], setup);
    const nobody = await startWebApp((_request, response) => response.end());
    const caller = await startService('a', nobody, ['--endpoint', `shop/b=${callee.inbound}`], setup);
    return { caller, callee };
  }

  const kindOf = (n: number) =>
    n % 10 === 0 ? { kind: 'gold', headers: { 'x-class': 'gold' } } : { kind: 'other', headers: {} };
  const load = (caller: RunningSidecar, perSecond: number, forMs: number): Promise<Sent[]> =>
    openLoop({ address: caller.outbound, authority: 'b.shop', perSecond, forMs, kindOf });

  test('serves the tenth that matters at five times too much, and hardly anything else is refused there', async () => {
    const { caller, callee } = await pair();
    const sent = await load(caller, 500, 3000);
    const late = sent.filter(({ atMs }) => atMs >= 1000);
    const gold = late.filter(({ kind }) => kind === 'gold');
    const served = (some: Sent[]): number => some.filter(({ status }) => status === 200).length;
    const lost = gold.filter(({ status }) => status !== 200).map(({ reason }) => reason);
    expect({ lost: lost.length > 0.05 * gold.length ? lost : [] }).toEqual({ lost: [] });
    expect(served(late)).toBeGreaterThan(0.75 * 100 * 2);
    // Its callers know from a level that was told to them; it told nobody else.
    expect(await metric(callee.metrics, 'weir_admission_level ')).toBeLessThan(768);
    const stranger = await get(caller.outbound, '/', { host: 'b.shop' });
    expect(stranger.headers['weir-level']).toBeUndefined();
  });

  test('has nine tenths of what is too much refused by its caller, from the first second on, at ten times', async () => {
    const { caller } = await pair();
    const late = (await load(caller, 1000, 2500)).filter(({ atMs, status }) => atMs >= 1000 && status === 503);
    const byCaller = late.filter(({ reason }) => reason === 'upstream_level' || reason === 'client_throttle');
    expect(late.length).toBeGreaterThan(1000);
    expect(byCaller.length / late.length).toBeGreaterThan(0.9);
  });

  test('refuses nothing in shadow, and counts what it would have', async () => {
    const { caller, callee } = await pair('shadow');
    const sent = await load(caller, 1000, 1500);
    expect(sent.every(({ status }) => status === 200)).toBe(true);
    const line = 'weir_requests_would_reject_total{direction="inbound",upstream="shop/b",reason="shed"} ';
    await until(async () => (await metric(callee.metrics, line)) > 0, { what: 'shed in shadow' });
  });
});
