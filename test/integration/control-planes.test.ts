/** Several control planes on one real nats-server: how they share the fleet, and what happens when one of them goes. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startControlLink } from '../../sidecar/io/control-link/control-link.ts';
import { startTestControlPlane, type TestControlPlane } from '../support/control-plane.ts';
import { FakeMesh } from '../support/fake-mesh.ts';
import { LeaseWatch } from '../support/lease-watch.ts';
import { startNatsServer, type TestNatsServer } from '../support/nats-server.ts';
import { startWeir, type WeirProcess } from '../support/process.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

let nats: TestNatsServer;
let leases: LeaseWatch;
const processes: WeirProcess[] = [];
const inside: TestControlPlane[] = [];

beforeEach(async () => {
  nats = await startNatsServer();
  leases = await LeaseWatch.open(nats.url);
});

afterEach(async () => {
  await Promise.all(inside.splice(0).map((each) => each.close()));
  await Promise.all(processes.splice(0).map((each) => each.kill9()));
  await leases.close();
  await nats.stop();
});

async function startProcess(id: string): Promise<WeirProcess> {
  const one = await startWeir(['control-plane', '--listen', '127.0.0.1:0', '--nats', nats.url, '--id', id]);
  processes.push(one);
  return one;
}

async function startInside(id: string, ...argv: readonly string[]): Promise<TestControlPlane> {
  const one = await startTestControlPlane(nats.url, { argv: ['--id', id, ...argv] });
  inside.push(one);
  return one;
}

const shares = (): number[] => Object.values(leases.shares()).sort();

describe('several control planes', () => {
  it('share the fleet evenly; of a killed one the others lead in 1.2 s, of one that ends in order in 200 ms', async () => {
    const [killed] = await Promise.all([startProcess('cp-a'), startInside('cp-b'), startInside('cp-c')]);
    await until(() => shares().join() === '2,3,3', { what: 'each leads its share', timeoutMs: 10_000 });
    await killed.kill9();
    const killedMs = performance.now();
    await until(() => leases.isLedBy('cp-b', 'cp-c'), { what: 'the others lead', intervalMs: 1 });
    const tookMs = performance.now() - killedMs;
    console.log(`after kill -9 everything is led again in ${tookMs.toFixed(0)} ms`);
    expect(tookMs).toBeLessThan(1200);
    const leaving = inside.pop()!;
    const leavingMs = performance.now();
    const ended = leaving.close();
    await until(() => leases.isLedBy('cp-b'), { what: 'the last leads', intervalMs: 1 });
    const handedMs = performance.now() - leavingMs;
    console.log(`after an orderly end everything is led again in ${handedMs.toFixed(0)} ms`);
    expect(handedMs).toBeLessThan(200);
    await ended;
  });

  it('know the fleet and what stands within a second of their start', async () => {
    const first = await startInside('cp-a');
    await first.isReady();
    const spec = { target: { service: 'payments' }, outbound: { circuitBreaker: { consecutiveFailures: 5 } } };
    const policy = { apiVersion: 'weir.dev/v1alpha1', kind: 'TrafficPolicy', metadata: { name: 'payments' }, spec };
    await first.ask('POST', '/v1/namespaces/shop/policies', { body: policy });
    const meshes = Array.from({ length: 4 }, (_, index) => new FakeMesh(`orders-${index}`, 'orders', index + 1));
    const targets = meshes.map((mesh) => mesh.useTarget('shop/payments'));
    const links = meshes.map((mesh) => startControlLink(mesh, { servers: [nats.url] }));
    const calls = setInterval(() => {
      for (const target of targets) target.call(false);
    }, 20);
    try {
      const knows = async (one: TestControlPlane) => {
        const { body } = await one.ask('GET', '/v1/services');
        const text = JSON.stringify(body);
        return /"service":"orders","live":4/.test(text) && /"state":"(open|half_open|ramp)"/.test(text);
      };
      await until(() => knows(first), { what: 'the breaker is open' });
      const second = await startInside('cp-b');
      const startedMs = performance.now();
      await until(() => second.logged.some(({ msg }) => msg === 'connected to NATS'), { what: 'it is connected' });
      await until(() => knows(second), { what: 'the newcomer knows it, too', intervalMs: 5 });
      const tookMs = performance.now() - startedMs;
      console.log(`a newcomer knows fleet and verdicts ${tookMs.toFixed(0)} ms after its start`);
      expect(tookMs).toBeLessThan(1000);
    } finally {
      clearInterval(calls);
      await Promise.all(links.map((link) => link.close()));
    }
  });

  it('tell Prometheus of the fleet, of what they hear, of the store and of the way of a policy', async () => {
    const one = await startInside('cp-a', '--metrics', '127.0.0.1:0');
    await one.isReady();
    const mesh = new FakeMesh('payments-0', 'payments');
    const link = startControlLink(mesh, { servers: [nats.url] });
    leases.say('weir.rep.1.shop.payments.payments-0', 'nonsense');
    const spec = { target: { service: 'payments' }, inbound: { concurrency: { fixed: { limit: 4 } } } };
    const policy = { apiVersion: 'weir.dev/v1alpha1', kind: 'TrafficPolicy', metadata: { name: 'payments' }, spec };
    await one.ask('POST', '/v1/namespaces/shop/policies', { body: policy });
    const wanted = [
      'weir_control_plane_instances{state="live"} 1',
      'weir_control_plane_services 1',
      'weir_control_plane_policies 1',
      'weir_control_plane_groups_led 8',
      'weir_control_plane_members 1',
      'weir_control_plane_nats_connected 1',
      'weir_control_plane_nats_lost_total 0',
      'weir_control_plane_messages_refused_total{kind="rep"} 1',
      'weir_control_plane_policy_push_seconds_count 1',
    ];
    const lines = async () => (await (await fetch(one.metricsUrl ?? '')).text()).split('\n');
    await until(async () => missing(await lines(), wanted).length === 0, { what: 'all is told' }).catch(() => {});
    expect(missing(await lines(), wanted)).toEqual([]);
    const text = (await lines()).join('\n');
    expect(text).toMatch(/weir_control_plane_messages_total\{kind="hb"\} [1-9]/);
    expect(text).toMatch(/weir_control_plane_store_seconds_count\{operation="write",result="ok"\} [1-9]/);
    await link.close();
  });

  it('ask for a token at /metrics', async () => {
    const file = join(tempDir('metrics').path, 'token');
    writeFileSync(file, 'for prometheus\n');
    const one = await startInside('cp-a', '--metrics', '127.0.0.1:0', '--metrics-token-file', file);
    const url = one.metricsUrl ?? '';
    expect((await fetch(url)).status).toBe(401);
    expect((await fetch(url, { headers: { authorization: 'Bearer for prometheus' } })).status).toBe(200);
  });
});

const missing = (lines: readonly string[], wanted: readonly string[]): string[] =>
  wanted.filter((line) => !lines.includes(line));
