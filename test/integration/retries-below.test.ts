/**
 * One layer retries: through a chain of three services whose apps forward `traceparent`, a retry of the first hop stops the
 * retries of the second, and is a tier less important all the way.
 */
import { afterEach, describe, expect, test } from 'vitest';
import type { RunningSidecar } from '../support/sidecar.ts';
import { startSidecar } from '../support/sidecar.ts';
import { callsOn, get, later, metric, policyAbout, release, startService, startWebApp } from '../support/web.ts';

const meshToken = 'mesh-secret';
const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const retries = '{ attemptsMax: 3, backoff: { base: 1ms, max: 5ms }, budget: { percent: 100 } }';
afterEach(release);

interface Chain {
  readonly a: RunningSidecar;
  readonly b: RunningSidecar;
  /** The tiers in which the last service was asked, one after the other. */
  readonly tiers: unknown[];
}

/** a calls b, whose app calls c, which answers with that status. `ofB`: the rest of b's policy. */
async function chain(status: number, ofB = ''): Promise<Chain> {
  const tiers: unknown[] = [];
  const app = await startWebApp((request, response) => {
    tiers.push(request.headers['weir-tier']);
    response.writeHead(status).end();
  });
  const c = await startService('c', app, [], { meshToken });
  const policy = `${policyAbout('b', `${ofB}  outbound: { retries: ${retries} }\n`)}---\n${policyAbout('c', `  inbound: { priorities: {} }\n  outbound: { retries: ${retries} }\n`)}`;
  const calls = callsOn('c.shop', () => b.outbound, true);
  const b: RunningSidecar = await startService('b', await startWebApp(calls), ['--endpoint', `shop/c=${c.inbound}`], {
    meshToken,
    policy,
  });
  const a = await startSidecar({
    argv: ['--service', 'shop/a', '--endpoint', `shop/b=${b.inbound}`],
    meshToken,
    policy,
  });
  later(() => a.stop());
  return { a, b, tiers };
}

/** Services of which each calls the next, and the last fails; `retried`: by whose callers. How often that one is asked. */
async function callsAtTheEnd(services: readonly string[], retried: readonly string[]): Promise<number> {
  let calls = 0;
  const last = await startWebApp((_, response) => {
    calls++;
    response.writeHead(503).end();
  });
  const policy = retried.map((name) => policyAbout(name, `  outbound: { retries: ${retries} }\n`)).join('---\n');
  let next = await startService(services.at(-1)!, last, [], { meshToken, policy });
  for (let at = services.length - 2; at >= 0; at--) {
    const endpoint = `shop/${services[at + 1]}=${next.inbound}`;
    const app = await startWebApp(callsOn(`${services[at + 1]}.shop`, () => own.outbound, true));
    const own: RunningSidecar = await startService(services[at]!, app, ['--endpoint', endpoint], { meshToken, policy });
    next = own;
  }
  expect((await get(next.inbound, '/', { 'weir-mesh-token': meshToken, traceparent })).status).toBe(503);
  return calls;
}

const ofC = 'weir_retries_total{upstream="shop/c",result=';

describe('a retry one layer up', () => {
  test('stops the retries below, whether or not the policy there has priorities', async () => {
    for (const ofB of ['', '  inbound: { priorities: {} }\n']) {
      const { a, b, tiers } = await chain(503, ofB);
      expect((await get(a.outbound, '/', { host: 'b.shop', traceparent })).status).toBe(503);
      // Three for the first attempt, one for each other: five, where two layers that both retry make nine.
      expect(tiers).toHaveLength(5);
      expect(await metric(a.metrics, 'weir_retries_total{upstream="shop/b",result="retried"}')).toBe(2);
      expect(await metric(b.metrics, `${ofC}"retried"}`)).toBe(2);
      expect(await metric(b.metrics, `${ofC}"other_layer"}`)).toBe(2);
      if (ofB !== '') expect(tiers).toEqual(['normal', 'low', 'low', 'low', 'low']);
    }
  });
});

describe('in a chain of four services', () => {
  test('each that retries adds its own retries and multiplies nobody’s', async () => {
    // Three services that try three times each: 27 calls, if each did not know of the others.
    expect(await callsAtTheEnd(['a', 'b', 'c', 'd'], ['b', 'c', 'd'])).toBe(7);
  });

  test('one that does not retry hands on that it is asked again', async () => {
    // The first attempt is tried three times at the end, the two others once: nine, if b did not say so to c.
    expect(await callsAtTheEnd(['a', 'b', 'c', 'd'], ['b', 'd'])).toBe(5);
  });
});

test('a retry that tells no tier is one tier less important where it comes in', async () => {
  const { b, tiers } = await chain(200, '  inbound: { priorities: {} }\n');
  const trace = (n: number): string => traceparent.replace('4bf9', `000${n}`);
  for (const [n, fields] of [{}, { 'weir-attempt': '2' }, { 'grpc-previous-rpc-attempts': '1' }].entries()) {
    await get(b.inbound, '/', { 'weir-mesh-token': meshToken, traceparent: trace(n), ...fields });
  }
  await get(b.inbound, '/', {
    'weir-mesh-token': meshToken,
    traceparent: trace(4),
    'weir-attempt': '2',
    'weir-tier': 'high',
  });
  expect(tiers).toEqual(['normal', 'low', 'low', 'high']);
});
