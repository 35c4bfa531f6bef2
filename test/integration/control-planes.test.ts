/** Several control planes on one real nats-server: how they share the fleet, and what happens when one of them goes. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTestControlPlane, type TestControlPlane } from '../support/control-plane.ts';
import { LeaseWatch } from '../support/lease-watch.ts';
import { startNatsServer, type TestNatsServer } from '../support/nats-server.ts';
import { startWeir, type WeirProcess } from '../support/process.ts';
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

async function startInside(id: string): Promise<TestControlPlane> {
  const one = await startTestControlPlane(nats.url, { argv: ['--id', id] });
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
});
