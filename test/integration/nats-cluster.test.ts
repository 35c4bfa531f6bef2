/**
 * Three nats-servers, of which the one dies that leads the stream of the leases: nothing can be written until another is
 * elected, so nobody leads meanwhile. What stood goes on standing, and policies are kept.
 */
import { afterEach, expect, it } from 'vitest';
import { type ControlLink, startControlLink } from '../../sidecar/io/control-link/control-link.ts';
import { BreakerState } from '../../sidecar/resilience/breaker-state.ts';
import { startTestControlPlane, type TestControlPlane } from '../support/control-plane.ts';
import { FakeMesh, type FakeTarget } from '../support/fake-mesh.ts';
import { LeaseWatch } from '../support/lease-watch.ts';
import { NatsCluster } from '../support/nats-cluster.ts';
import { until } from '../support/until.ts';
import { later, release } from '../support/web.ts';

afterEach(release);

const target = 'shop/payments';
const boundMs = 10_000;

async function startControlPlane(urls: string, id: string): Promise<TestControlPlane> {
  const argv = ['--id', id, '--nats-replicas', '3'];
  const one = await startTestControlPlane(urls, { argv });
  later(() => one.close());
  return one;
}

/** Four callers, fifty calls a second each, of which all fail. */
function startCallers(servers: readonly string[]): FakeTarget[] {
  const meshes = Array.from({ length: 4 }, (_, index) => new FakeMesh(`orders-${index}`, 'orders', index + 1));
  const targets = meshes.map((mesh) => mesh.useTarget(target));
  const links: ControlLink[] = meshes.map((mesh) => startControlLink(mesh, { servers }));
  const timer = setInterval(() => {
    for (const each of targets) each.call(false);
  }, 20);
  later(() => Promise.all(links.map((link) => link.close())));
  later(() => clearInterval(timer));
  return targets;
}

it('keeps verdicts and policies while the nats-server that leads the leases is gone, and leads again within 10 s', async () => {
  const cluster = await NatsCluster.start();
  later(() => cluster.stop());
  const leases = await LeaseWatch.open(cluster.servers.map(({ url }) => url));
  later(() => leases.close());
  const [one, other] = await Promise.all(['cp-a', 'cp-b'].map((id) => startControlPlane(cluster.urls, id)));
  await until(() => leases.isLedBy('cp-a', 'cp-b'), { what: 'everything is led', timeoutMs: 15_000 });
  await one!.isReady();
  const spec = { target: { service: 'payments' }, outbound: { circuitBreaker: { consecutiveFailures: 5 } } };
  const policy = { apiVersion: 'weir.dev/v1alpha1', kind: 'TrafficPolicy', metadata: { name: 'payments' }, spec };
  expect((await one!.ask('POST', '/v1/namespaces/shop/policies', { body: policy })).status).toBe(201);
  const targets = startCallers(cluster.servers.map(({ url }) => url));
  const isCutOff = (): boolean => targets.every(({ breaker }) => breaker.fleetState !== BreakerState.closed);
  await until(isCutOff, { what: 'the fleet breaker is open everywhere', timeoutMs: 10_000 });

  await (await cluster.leaderOf('KV_weir_lease')).kill9();
  const killedMs = performance.now();
  let closedMs = 0;
  const watch = setInterval(() => {
    if (!isCutOff() && closedMs === 0) closedMs = performance.now() - killedMs;
  }, 10);
  later(() => clearInterval(watch));
  await until(() => !leases.isLedBy('cp-a', 'cp-b'), { what: 'the leases are not renewed' }).catch(() => {});
  await until(() => leases.isLedBy('cp-a', 'cp-b'), { what: 'everything is led again', timeoutMs: boundMs });
  const ledMs = performance.now() - killedMs;
  console.log(`everything is led again ${ledMs.toFixed(0)} ms after kill -9 of the nats-server that led the leases`);
  expect(ledMs).toBeLessThan(boundMs);
  expect(closedMs, 'ms after which somebody let requests through').toBe(0);
  for (const each of [one!, other!]) {
    await until(async () => (await each.ask('GET', '/v1/namespaces/shop/policies/payments')).status === 200, {
      what: 'both know the policy',
    });
  }
}, 60_000);
