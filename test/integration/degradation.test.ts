/**
 * What is left of a service under overload, through real sidecars: what can be done without is switched off and comes back,
 * calls inherit the time that is left, and priorities hold with several threads.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { openLoop, type Sent } from '../support/open-loop.ts';
import { sidecarDoors, startWeir, text } from '../support/process.ts';
import type { RunningSidecar } from '../support/sidecar.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { get, later, metric, policyAbout, release, startService, startWebApp } from '../support/web.ts';

afterEach(release);

/** 20 ms each. */
const startWorker = (): Promise<string> =>
  startWebApp((_request, response) => {
    setTimeout(() => response.end('ok'), 20);
  });

test('routes that are not essential are off while the level refuses anybody, and on again afterwards', async () => {
  const policy = policyAbout(
    'b',
    `  inbound:
    concurrency: { fixed: { limit: 2 } }
    queue: { requestsMax: 20, waitMax: 200ms }
    levels: { queueingMax: 5ms, window: 100ms, nonEssential: { restoreAfter: 300ms } }
  routes:
    - { name: recommendations, match: { path: { prefix: /recommend } }, essential: false }
    - { name: checkout, match: { path: { prefix: /checkout } } }
`,
  );
  const service = await startService('b', await startWorker(), [], { policy });
  const recommend = async (): Promise<string> => {
    const { status, headers } = await get(service.inbound, '/recommend/1');
    return `${status} ${headers['weir-reason'] ?? ''}`;
  };
  expect(await recommend()).toBe('200 ');
  // 100 a second is what it can take.
  const flood = openLoop({
    address: service.inbound,
    authority: 'b',
    perSecond: 600,
    forMs: 1200,
    kindOf: () => ({ kind: '', headers: { ':path': '/checkout' } }),
  });
  await until(async () => (await recommend()) === '503 degraded', { what: 'recommendations are off' });
  const sent = await flood;
  // The others are not switched off: as many are served as the service can serve.
  expect(sent.filter(({ status }) => status === 200).length).toBeGreaterThan(0.5 * 100 * 1.2);
  expect(sent.filter(({ reason }) => reason === 'degraded')).toEqual([]);
  await until(async () => (await recommend()) === '200 ', { what: 'recommendations are back' });
  const refused = 'weir_route_requests_total{direction="inbound",upstream="shop/b",route="recommendations",outcome=';
  expect(await metric(service.metrics, `${refused}"rejected"}`)).toBeGreaterThan(0);
});

describe('a call that an app makes for a request', () => {
  const header = 'x-timeout-ms';
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

  /** An app that works for 150 ms and then calls shop/c, and answers what it had from there. */
  async function chain(takesMs: number, forwards: boolean): Promise<RunningSidecar> {
    const callee = await startWebApp((request, response) => {
      setTimeout(() => response.end(String(request.headers[header])), takesMs);
    });
    let outbound = '';
    const app = await startWebApp((request, response) => {
      const trace = request.headers.traceparent;
      const headers = { host: 'c.shop', ...(forwards && typeof trace === 'string' && { traceparent: trace }) };
      setTimeout(async () => {
        const begunMs = performance.now();
        const { status, body, headers: fields } = await get(outbound, '/', headers);
        response.end(
          JSON.stringify({ status, body, reason: fields['weir-reason'], tookMs: performance.now() - begunMs }),
        );
      }, 150);
    });
    const policy = `${policyAbout('b', `  inbound: { priorities: {}, deadline: { header: ${header} } }\n`)}---\n${policyAbout(
      'c',
      `  outbound: { timeout: 10s, timeoutHeader: ${header} }\n`,
    )}`;
    const service = await startService('b', app, ['--endpoint', `shop/c=${callee}`], { policy });
    outbound = service.outbound;
    return service;
  }

  const ask = async ({ inbound }: RunningSidecar, timeoutMs: number) =>
    JSON.parse((await get(inbound, '/', { [header]: timeoutMs, traceparent })).body || '{}');

  test('has the time that is left of it, by the forwarded traceparent', async () => {
    const { status, body } = await ask(await chain(0, true), 2000);
    expect(status).toBe(200);
    expect(Number(body)).toBeLessThanOrEqual(1855);
    expect(Number(body)).toBeGreaterThan(1000);
  });

  test('has the time of its own policy where the app does not forward it', async () => {
    const { body } = await ask(await chain(0, false), 2000);
    expect(Number(body)).toBeGreaterThan(9000);
  });

  test('is given up when that time is over', async () => {
    const service = await chain(5000, true);
    const begunMs = performance.now();
    const { status, headers } = await get(service.inbound, '/', { [header]: 400, traceparent });
    expect([status, headers['weir-reason']]).toEqual([504, 'deadline']);
    const refused = 'weir_requests_rejected_total{direction="outbound",upstream="shop/c",reason="deadline"} ';
    await until(async () => (await metric(service.metrics, refused)) === 1, { what: 'the call is given up' });
    expect(performance.now() - begunMs).toBeLessThan(2000);
  });
});

test('with two threads, the tenth that matters is served at four times too much', async () => {
  const file = join(tempDir('threads').path, 'policy.yaml');
  writeFileSync(
    file,
    policyAbout(
      'b',
      `  inbound:
    concurrency: { fixed: { limit: 4 } }
    queue: { requestsMax: 40, waitMax: 500ms }
    priorities: { rules: [{ tier: high, match: { headers: [{ name: x-class, exact: gold }] } }] }
    levels: {}
`,
    ),
  );
  const sidecar = await startWeir([
    ...[
      'sidecar',
      '--concurrency',
      '2',
      '--service',
      'shop/b',
      '--app',
      await startWorker(),
      '--app-protocol',
      'http1',
    ],
    ...['--policy', file, '--log-format', 'json', ...sidecarDoors],
  ]);
  later(() => sidecar.stop());
  // 200 a second is what it can take. Connections are spread over the threads.
  const kindOf = (n: number) =>
    n % 10 === 0 ? { kind: 'gold', headers: { 'x-class': 'gold' } } : { kind: 'other', headers: {} };
  const floods = Array.from({ length: 8 }, () =>
    openLoop({ address: text(sidecar.listening, 'inbound'), authority: 'b', perSecond: 100, forMs: 2000, kindOf }),
  );
  const late: Sent[] = (await Promise.all(floods)).flat().filter(({ atMs }) => atMs >= 500);
  const served = (kind: string): number => late.filter((one) => one.kind === kind && one.status === 200).length;
  const gold = late.filter(({ kind }) => kind === 'gold').length;
  // Without priorities it would be a quarter, as of everybody.
  expect(served('gold') / gold).toBeGreaterThan(0.8);
  expect(served('gold') + served('other')).toBeGreaterThan(0.5 * 200 * 1.5);
});
