/**
 * Endpoints as callers meet them, through a real sidecar: who fares badly is left out, as far as the cap allows, and who is
 * new or back gets its share little by little.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PolicySpec } from '../../proto/policy/schema.ts';
import { ControlRoom, makeBundle } from '../support/control-room.ts';
import { startNatsServer } from '../support/nats-server.ts';
import { openLoop, type Sent } from '../support/open-loop.ts';
import type { RunningSidecar } from '../support/sidecar.ts';
import { until } from '../support/until.ts';
import { later, metric, policyAbout, release, startHttp2App, startService } from '../support/web.ts';

afterEach(release);

/** What came to it, and when. */
class Replica {
  isIll = false;
  address = '';
  readonly atMs: number[] = [];

  async start(): Promise<this> {
    this.address = await startHttp2App(() => {
      this.atMs.push(performance.now());
      return this.isIll ? 500 : 200;
    });
    return this;
  }

  between(fromMs: number, toMs: number): number {
    return this.atMs.filter((atMs) => atMs >= fromMs && atMs < toMs).length;
  }
}

let replicas: Replica[];

beforeEach(async () => {
  replicas = await Promise.all(Array.from({ length: 4 }, () => new Replica().start()));
});

async function callerOf(of: readonly Replica[], outbound: string): Promise<RunningSidecar> {
  const endpoints = of.flatMap(({ address }) => ['--endpoint', `shop/b=${address}`]);
  const policy = policyAbout('b', `  outbound: ${outbound}\n`);
  return startService('a', replicas[0]!.address, endpoints, { policy });
}

const windowMs = 1500;

/** Its share of all requests in each quarter of a window that began then, and in another one after it. */
function shares(of: Replica, all: readonly Replica[], beganMs: number): number[] {
  return [0, 1, 2, 3, 4].map((quarter) => {
    const fromMs = beganMs + (quarter * windowMs) / 4;
    const own = of.between(fromMs, fromMs + windowMs / 4);
    const total = all.reduce((sum, one) => sum + one.between(fromMs, fromMs + windowMs / 4), 0);
    return own / total;
  });
}

/** Age / window, from a tenth on, of a full share of a half; the sender of the load is not exact. */
function expectSlowStart(measured: readonly number[]): void {
  const expected = [0.1, 0.23, 0.33, 0.44, 0.5];
  for (const [quarter, share] of measured.entries()) {
    expect(Math.abs(share - expected[quarter]!), `${quarter}: ${measured}`).toBeLessThan(0.09);
  }
}

const load = (caller: RunningSidecar, forMs: number, perSecond = 400): Promise<Sent[]> =>
  openLoop({
    address: caller.outbound,
    authority: 'b.shop',
    perSecond,
    forMs,
    kindOf: () => ({ kind: '', headers: {} }),
  });

const call = (caller: RunningSidecar): Promise<number> => load(caller, 1, 1000).then(([sent]) => sent?.status ?? 0);

describe('outlier detection', () => {
  test('leaves out those that fail, as many as the cap allows, and no more than that', async () => {
    const caller = await callerOf(
      replicas,
      `{ outlierDetection: { consecutiveFailures: 3, maxEjectedPercent: 50, baseEjectionTime: 1m },
         loadBalancing: { algorithm: { roundRobin: {} } } }`,
    );
    for (const replica of replicas.slice(1)) replica.isIll = true;
    const ejected = 'weir_endpoint_ejected{upstream="shop/b"} ';
    await until(async () => (await call(caller)) > 0 && (await metric(caller.metrics, ejected)) === 2, {
      what: 'two of four are ejected',
    });
    // The third is as bad as they are: its failures are answered, and counted as what the cap did not allow.
    const capped = 'weir_outlier_ejections_total{upstream="shop/b",cause="refused_by_cap"} ';
    await until(async () => (await call(caller)) > 0 && (await metric(caller.metrics, capped)) > 0, {
      what: 'the cap holds',
    });
    const before = replicas.map(({ atMs }) => atMs.length);
    await load(caller, 60, 1000);
    const taken = replicas.map(({ atMs }, index) => atMs.length - before[index]!);
    expect(taken.slice(1).filter((count) => count === 0)).toHaveLength(2);
    expect(taken.reduce((sum, count) => sum + count)).toBe(60);
    expect(await metric(caller.metrics, ejected)).toBe(2);
  });

  test('lets one that is back in by slow start', async () => {
    const [well, ill] = [replicas[1]!, replicas[2]!];
    const caller = await callerOf(
      [well, ill],
      `{ outlierDetection: { consecutiveFailures: 3, baseEjectionTime: 300ms },
         loadBalancing: { algorithm: { roundRobin: {} }, slowStart: { window: ${windowMs}ms } } }`,
    );
    ill.isIll = true;
    const sent = load(caller, 400 + windowMs * 1.25 + 100);
    const ejected = 'weir_endpoint_ejected{upstream="shop/b"} ';
    await until(async () => (await metric(caller.metrics, ejected)) === 1, { what: 'the ill one is ejected' });
    ill.isIll = false;
    const failures = ill.atMs.length;
    await until(() => ill.atMs.length > failures, { what: 'it is asked again' });
    const backMs = ill.atMs[failures]!;
    const failed = (await sent).filter(({ status }) => status === 500);
    // Three in a row, and those that were under way meanwhile.
    expect(failed.length).toBeGreaterThanOrEqual(3);
    expect(failed.length).toBeLessThan(20);
    // A tenth of the picks: the first of them came some ms after it was back.
    expectSlowStart(shares(ill, [well, ill], backMs - 20));
  });
});

test('an endpoint that is new gets its share little by little', async () => {
  const nats = await startNatsServer();
  later(() => nats.stop());
  const room = await ControlRoom.open(nats.url);
  later(() => room.close());
  const spec: PolicySpec = {
    target: { service: 'b' },
    outbound: { loadBalancing: { algorithm: { roundRobin: {} }, slowStart: { window: `${windowMs}ms` } } },
  };
  await room.putBundle(makeBundle({ target: 'shop/b', stable: spec }));
  const [old, fresh] = [replicas[1]!, replicas[2]!];
  await room.putEndpoints('shop/b', 'a', 1, [old.address]);
  const caller = await startService('a', old.address, ['--nats', nats.url]);
  await until(async () => (await call(caller)) === 200, { what: 'the endpoint is known' });
  await until(async () => (await metric(caller.metrics, 'weir_policy_generation{target="shop/b"}')) === 1, {
    what: 'the policy is in force',
  });
  const sent = load(caller, windowMs * 1.25 + 250);
  await room.putEndpoints('shop/b', 'a', 2, [old.address, fresh.address]);
  await until(() => fresh.atMs.length > 0, { what: 'the new one is asked' });
  const bornMs = fresh.atMs[0]!;
  expect((await sent).filter(({ status }) => status !== 200)).toEqual([]);
  expectSlowStart(shares(fresh, [old, fresh], bornMs - 20));
});
