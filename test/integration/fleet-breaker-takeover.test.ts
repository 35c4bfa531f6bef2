/**
 * Twenty sidecars' links and two control planes over a real nats-server; the service dies, the control plane that leads it
 * is killed in the middle of the outage, the service heals. Who refuses how soon, what the dead service sees meanwhile,
 * and how soon the traffic is back.
 */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { groupOf, shardOwners } from '../../control-plane/coordination/shard-owners.ts';
import { type ControlLink, startControlLink } from '../../sidecar/io/control-link/control-link.ts';
import { isShut } from '../../sidecar/resilience/breaker-state.ts';
import { startTestControlPlane, type TestControlPlane } from '../support/control-plane.ts';
import { FakeMesh } from '../support/fake-mesh.ts';
import { LeaseWatch } from '../support/lease-watch.ts';
import { startNatsServer, type TestNatsServer } from '../support/nats-server.ts';
import { startWeir, type WeirProcess } from '../support/process.ts';
import { until } from '../support/until.ts';

const target = 'shop/payments';
const callers = 20;
const callEveryMs = 40;
/** The one of the two that leads the target while both live. */
const [leaderId, standbyId] =
  shardOwners(['cp-a 1', 'cp-b 2'])[groupOf(target)] === 'cp-a 1' ? ['cp-a', 'cp-b'] : ['cp-b', 'cp-a'];
const policy = {
  apiVersion: 'weir.dev/v1alpha1',
  kind: 'TrafficPolicy',
  metadata: { name: 'payments', namespace: 'shop' },
  spec: { target: { service: 'payments' }, outbound: { circuitBreaker: { consecutiveFailures: 5 } } },
};
const localDefaults = {
  consecutiveFailures: 5,
  failureRatio: { percent: 50, minRequests: 20, windowMs: 2000, windowRequests: 0 },
};

let nats: TestNatsServer;
let leases: LeaseWatch;
let leader: WeirProcess;
let standby: TestControlPlane;
let links: ControlLink[];
let timers: NodeJS.Timeout[];

beforeEach(async () => {
  nats = await startNatsServer();
  leases = await LeaseWatch.open(nats.url);
  leader = await startWeir(['control-plane', '--listen', '127.0.0.1:0', '--nats', nats.url, '--id', leaderId]);
  standby = await startTestControlPlane(nats.url, { argv: ['--id', standbyId] });
  await standby.isReady();
  links = [];
  timers = [];
});

afterEach(async () => {
  for (const timer of timers) clearInterval(timer);
  await Promise.all(links.map((link) => link.close()));
  await Promise.all([standby.close(), leader.kill9()]);
  await leases.close();
  await nats.stop();
});

it('is held by all, shows a dead service five probes a round, and comes back, though its leader is killed', async () => {
  await until(() => leases.isLedBy(leaderId, standbyId) && Object.keys(leases.shares()).length === 2, {
    what: 'both lead their shares',
    timeoutMs: 10_000,
  });
  expect((await standby.ask('POST', '/v1/namespaces/shop/policies', { body: policy })).status).toBe(201);
  let isWell = true;
  let [wanted, good] = [0, 0];
  const probesAtMs: number[] = [];
  let lastPlainMs = 0;
  const meshes = Array.from({ length: callers }, (_, index) => new FakeMesh(`orders-${index}`, 'orders', index + 1));
  links = meshes.map((mesh) => startControlLink(mesh, { servers: [nats.url] }));
  const targets = meshes.map((mesh) => mesh.useTarget(target, localDefaults));
  timers = targets.map((each) =>
    setInterval(() => {
      wanted++;
      if (!each.call(isWell)) return;
      if (isWell) good++;
      else if (isShut(each.breaker.fleetState)) probesAtMs.push(performance.now());
      else lastPlainMs = performance.now();
    }, callEveryMs),
  );
  const isHeard = () => standby.ask('GET', '/v1/namespaces/shop/services/payments/breaker');
  await until(async () => (await isHeard()).status === 200, { what: 'the callers are known', timeoutMs: 5000 });
  await until(() => wanted > 20 * callers, { what: 'a second of demand' });

  isWell = false;
  const deadMs = performance.now();
  await until(() => targets.every(({ breaker }) => isShut(breaker.fleetState)), { what: 'all refuse', intervalMs: 1 });
  await leader.kill9();
  await until(() => performance.now() - deadMs > 2500, { what: 'the outage goes on' });
  const blockedMs = lastPlainMs - deadMs;

  isWell = true;
  const healedMs = performance.now();
  const isBack = async (): Promise<boolean> => {
    [wanted, good] = [0, 0];
    await until(() => wanted >= 10 * callers, { what: 'some demand', intervalMs: 5 });
    return good >= 0.95 * wanted;
  };
  await until(isBack, { what: '95 % are answered', timeoutMs: 10_000, intervalMs: 1 });
  const backMs = performance.now() - healedMs;
  const most = Math.max(
    0,
    ...probesAtMs.map((fromMs, i) => probesAtMs.slice(i).filter((atMs) => atMs < fromMs + 1000).length),
  );
  console.log(
    `all refused after ${blockedMs.toFixed(0)} ms; back to 95 % ${backMs.toFixed(0)} ms after the healing; ` +
      `at most ${most} probes in a second, ${probesAtMs.length} in all`,
  );
  expect(blockedMs).toBeLessThan(1000);
  // Five of a round, and the slots that a second without a leader touches.
  expect(most).toBeLessThanOrEqual(7);
  expect(backMs).toBeLessThan(8000);
});
