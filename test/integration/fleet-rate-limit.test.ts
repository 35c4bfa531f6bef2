/**
 * A rate limit that three sidecars share, over a real nats-server and a control plane: it is kept while the demand moves
 * from one to the other, used, and still kept when NATS is killed.
 */
import { Value } from 'typebox/value';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type QuotaView, ServiceList } from '../../proto/api.ts';
import { startTestControlPlane, type TestControlPlane } from '../support/control-plane.ts';
import { type HttpApp, startHttpApp } from '../support/http-app.ts';
import { startNatsServer, type TestNatsServer } from '../support/nats-server.ts';
import { openLoop, type Sent } from '../support/open-loop.ts';
import { type RunningSidecar, startSidecar } from '../support/sidecar.ts';
import { until } from '../support/until.ts';

const rate = 300;
const burst = 60;
/** The load's clock is not the limiters': the one event loop of all may stand still between them. */
const lagMs = 200;
const secondMax = rate + burst + 3 + (rate * lagMs) / 1000;
const phaseMs = 2000;
const [many, few] = [330, 120];

let nats: TestNatsServer;
let controlPlane: TestControlPlane;
let app: HttpApp;
let sidecars: RunningSidecar[];

const policy = (fleet: object) => ({
  apiVersion: 'weir.dev/v1alpha1',
  kind: 'TrafficPolicy',
  metadata: { name: 'payments', namespace: 'shop' },
  spec: {
    target: { service: 'payments' },
    enforcement: 'enforce',
    inbound: { rateLimits: [{ name: 'total', scope: 'fleet', rate: `${rate}/s`, burst, fleet }] },
  },
});

beforeEach(async () => {
  nats = await startNatsServer();
  controlPlane = await startTestControlPlane(nats.url);
  await controlPlane.isReady();
  app = await startHttpApp();
  sidecars = await Promise.all([0, 1, 2].map((i) => startOne(`payments-${i}`)));
});

afterEach(async () => {
  await Promise.all(sidecars.map((sidecar) => sidecar.stop()));
  await Promise.all([controlPlane.close(), app.stop()]);
  await nats.stop();
});

function startOne(instance: string): Promise<RunningSidecar> {
  const argv = ['--service', 'shop/payments', '--app', app.address, '--app-protocol', 'http1', '--nats', nats.url];
  return startSidecar({ argv, instance });
}

async function share(fleet: object): Promise<void> {
  const answer = await controlPlane.ask('POST', '/v1/namespaces/shop/policies', { body: policy(fleet) });
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  const isShared = async () => {
    const quota = await quotaView();
    return quota?.heard === 3 && quota.leading && !quota.settling;
  };
  await until(isShared, { what: 'all three hold a part' });
}

async function quotaView(): Promise<QuotaView | undefined> {
  const list = Value.Parse(ServiceList, (await controlPlane.ask('GET', '/v1/services')).body);
  return list.items.find(({ service }) => service === 'payments')!.quotas[0];
}

/** Requests a second for each sidecar, all at once; times are since the call. */
async function load(perSecond: readonly number[], forMs: number): Promise<Sent[]> {
  const sent = sidecars.map(({ inbound }, i) =>
    openLoop({
      address: inbound,
      authority: 'payments',
      perSecond: perSecond[i]!,
      forMs,
      kindOf: () => ({ kind: String(i), headers: {} }),
    }),
  );
  return (await Promise.all(sent)).flat();
}

/** The most that was admitted in any second. */
function mostInASecond(all: readonly Sent[]): number {
  const times = all.filter(({ status }) => status === 200).map(({ atMs }) => atMs);
  times.sort((a, b) => a - b);
  let most = 0;
  let from = 0;
  for (const [i, atMs] of times.entries()) {
    while (times[from]! <= atMs - 1000) from++;
    most = Math.max(most, i - from + 1);
  }
  return most;
}

async function seriesOf(metrics: string, name: string): Promise<number[]> {
  const text = await (await fetch(`http://${metrics}/metrics`)).text();
  return [...text.matchAll(new RegExp(`^${name}\\{.*\\} (.*)$`, 'gm'))].map(([, value]) => Number(value));
}

const admitted = (all: readonly Sent[]): number => all.filter(({ status }) => status === 200).length;

it('is kept and used while the demand moves, and is safe when NATS is killed', async () => {
  await share({ instancesMax: 3 });
  const all: Sent[] = [];
  for (const [i, phase] of [
    [many, few, few],
    [few, many, few],
  ].entries()) {
    all.push(...(await load(phase, phaseMs)).map((sent) => ({ ...sent, atMs: sent.atMs + i * phaseMs })));
  }
  const used = admitted(all) / ((2 * phaseMs * rate) / 1000);
  console.log(`used ${(used * 100).toFixed(1)} %, at most ${mostInASecond(all)} of ${rate} in a second`);
  expect(mostInASecond(all)).toBeLessThanOrEqual(secondMax);
  // 96 % on a machine that is not busy: what comes in lumps is not used.
  expect(used).toBeGreaterThan(0.8);
  const refused = all.filter(({ status }) => status !== 200);
  expect(new Set(refused.map(({ status, reason }) => `${status} ${reason}`))).toEqual(new Set(['429 rate_limit']));

  expect(await seriesOf(sidecars[0]!.metrics, 'weir_quota_state')).toEqual([0]);
  expect((await seriesOf(sidecars[1]!.metrics, 'weir_quota_rate'))[0]).toBeGreaterThan(rate / 3);
  expect(await quotaView()).toMatchObject({ limit: 'total', instances: 3, overshoot: 0, reservedPerSecond: 0 });

  await nats.kill9();
  const alone = await load([many, many, many], 1800);
  const late = alone.filter(({ atMs }) => atMs >= 1200);
  console.log(`without NATS ${(admitted(late) / 0.6).toFixed(0)}/s, at most ${mostInASecond(alone)} in a second`);
  expect(mostInASecond(alone)).toBeLessThanOrEqual(secondMax);
  for (const { metrics } of sidecars) expect(await seriesOf(metrics, 'weir_quota_state')).toEqual([1]);
  // The two that asked for little fall to what they held, the third to a third of the rate.
  for (const kind of ['0', '1', '2']) expect(admitted(late.filter((sent) => sent.kind === kind))).toBeGreaterThan(10);
});
