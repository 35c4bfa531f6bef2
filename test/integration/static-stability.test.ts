/**
 * NATS goes, comes back, and comes back empty, while requests flow from one service to another through real sidecars: no
 * request may fail because of it, and soon after each return everybody knows everything again.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { member } from '../../proto/policy/problems.ts';
import { startTestControlPlane, type TestControlPlane, watchFleet } from '../support/control-plane.ts';
import { startNatsServer, type TestNatsServer } from '../support/nats-server.ts';
import { openLoop } from '../support/open-loop.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { later, release, startService, startWebApp } from '../support/web.ts';

afterEach(release);

const perSecond = 150;
const forMs = 5_500;
const backWithinMs = 5_000;

async function begin(): Promise<{ nats: TestNatsServer; controlPlane: TestControlPlane; outbound: string }> {
  const nats = await startNatsServer();
  later(() => nats.stop());
  const controlPlane = await startTestControlPlane(nats.url);
  later(() => controlPlane.close());
  await controlPlane.isReady();
  const app = await startWebApp((_, response) => response.end('ok'));
  const spec = {
    target: { service: 'b' },
    inbound: { concurrency: { fixed: { limit: 64 } } },
    outbound: { circuitBreaker: { consecutiveFailures: 5 } },
  };
  const policy = { apiVersion: 'weir.dev/v1alpha1', kind: 'TrafficPolicy', metadata: { name: 'b' }, spec };
  expect((await controlPlane.ask('POST', '/v1/namespaces/shop/policies', { body: policy })).status).toBe(201);
  await startService('b', app, ['--nats', nats.url, '--data-dir', tempDir('b').path]);
  const caller = await startService('a', app, ['--nats', nats.url, '--data-dir', tempDir('a').path]);
  return { nats, controlPlane, outbound: caller.outbound };
}

/** Both sidecars live, the policy obeyed by both, and led. */
async function whole(controlPlane: TestControlPlane, epochAbove: string): Promise<string> {
  const events = await watchFleet(controlPlane.url);
  try {
    return await until(
      () => {
        const snapshot = events.snapshots.at(-1);
        const b = snapshot?.services.find(({ service }) => service === 'b');
        const a = snapshot?.services.find(({ service }) => service === 'a');
        const isWhole = a?.live === 1 && b?.live === 1 && b.policy.applied === 2 && b.policy.expected === 2;
        const { leader, epoch, natsConnected } = snapshot?.controlPlane ?? { leader: false, epoch: '' };
        return isWhole && natsConnected && leader && epoch > epochAbove ? epoch : undefined;
      },
      { what: 'everybody knows everything', timeoutMs: 8_000 },
    );
  } finally {
    await events.close();
  }
}

const stored = async (controlPlane: TestControlPlane): Promise<unknown> =>
  member((await controlPlane.ask('GET', '/v1/namespaces/shop/policies/b')).body, 'spec');

it('loses no request while NATS is killed, restarted and wiped, and is whole again within 5 s of each return', async () => {
  const { nats, controlPlane, outbound } = await begin();
  const ask = () => openLoop({ address: outbound, authority: 'b.shop', perSecond: 20, forMs: 50, kindOf });
  await until(async () => (await ask()).every(({ status }) => status === 200), { what: 'requests arrive' });
  const firstEpoch = await whole(controlPlane, '');
  const policy = await stored(controlPlane);
  const load = openLoop({ address: outbound, authority: 'b.shop', perSecond, forMs, kindOf });

  await nats.kill9();
  const killedMs = performance.now();
  await until(() => performance.now() - killedMs > 1_000, { what: 'a second without NATS' });
  expect((await controlPlane.ask('GET', '/v1/policies')).headers.get('weir-stale')).toBe('true');
  await nats.restart();
  let backMs = performance.now();
  await whole(controlPlane, '');
  const restartedMs = performance.now() - backMs;
  expect(restartedMs).toBeLessThan(backWithinMs);

  await nats.stop();
  rmSync(join(nats.dir, 'jetstream'), { recursive: true });
  await nats.restart();
  backMs = performance.now();
  await whole(controlPlane, firstEpoch);
  const wipedMs = performance.now() - backMs;
  expect(wipedMs).toBeLessThan(backWithinMs);
  expect(await stored(controlPlane)).toEqual(policy);

  const sent = await load;
  console.log(
    `${sent.length} requests; whole ${restartedMs.toFixed(0)} ms after a restart, ${wipedMs.toFixed(0)} ms after a wipe`,
  );
  expect(sent.filter(({ status }) => status !== 200)).toEqual([]);
}, 30_000);

const kindOf = () => ({ kind: '', headers: {} });
