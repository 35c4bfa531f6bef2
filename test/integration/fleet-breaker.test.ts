/**
 * Four sidecars' links and a coordinator over a real nats-server: an outage opens the breaker in every one of them, also
 * in one whose own calls succeed, and it closes after the target has healed.
 */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { BreakerCoordinator } from '../../control-plane/coordination/breaker-coordinator.ts';
import { XorShift32 } from '../../proto/kernel/random.ts';
import { type ControlLink, startControlLink } from '../../sidecar/io/control-link/control-link.ts';
import { type BreakerSettings, BreakerState } from '../../sidecar/resilience/breaker.ts';
import { ControlRoom } from '../support/control-room.ts';
import { FakeMesh, type FakeTarget } from '../support/fake-mesh.ts';
import { startNatsServer, type TestNatsServer } from '../support/nats-server.ts';
import { until } from '../support/until.ts';

const target = 'shop/payments';
const callers = 4;
const callEveryMs = 20;
const localDefaults = {
  consecutiveFailures: 5,
  failureRatio: { percent: 50, minRequests: 20, windowMs: 2000, windowRequests: 0 },
};

let nats: TestNatsServer;
let room: ControlRoom;
let coordinator: BreakerCoordinator;
let links: ControlLink[];
let targets: FakeTarget[];
let timers: NodeJS.Timeout[];
let meshes: FakeMesh[];
/** What each caller sees. */
let healthy: boolean[];
let firstFailureAtMs: number;

beforeEach(async () => {
  nats = await startNatsServer();
  room = await ControlRoom.open(nats.url);
  coordinator = new BreakerCoordinator({
    random: new XorShift32(1),
    epochOf: () => '0000000000000001.0000000000000001',
  });
  room.onReport = (report) => coordinator.onReport(report, performance.now());
  const tick = () => {
    const { verdicts, grants } = coordinator.tick(performance.now(), Date.now());
    for (const verdict of verdicts) room.publishVerdict(verdict);
    for (const grant of grants) room.publishGrant(grant);
  };
  timers = [setInterval(tick, 50)];
  healthy = Array.from({ length: callers }, () => true);
  firstFailureAtMs = Number.NaN;
  meshes = healthy.map((_, index) => new FakeMesh(`orders-${index}`, 'orders', index + 1));
  links = meshes.map((mesh) => startControlLink(mesh, { servers: [nats.url] }));
});

afterEach(async () => {
  for (const timer of timers) clearInterval(timer);
  await Promise.all(links.map((link) => link.close()));
  await room.close();
  await nats.stop();
});

/** Every caller calls fifty times a second, and has reported. */
async function begin(breaker: Partial<BreakerSettings> = {}): Promise<void> {
  targets = meshes.map((mesh) => mesh.useTarget(target, breaker));
  targets.forEach((each, index) => {
    const call = () => {
      const called = each.call(healthy[index]!);
      if (called && !healthy[index] && Number.isNaN(firstFailureAtMs)) firstFailureAtMs = performance.now();
    };
    timers.push(setInterval(call, callEveryMs));
  });
  // Calm reports of everybody: the fleet is known before it is asked.
  await until(() => new Set(room.reports.map(({ report }) => report.identity.instance)).size === callers, {
    what: 'every caller has reported',
  });
}

const allAre = (state: number) => targets.every(({ breaker }) => breaker.fleetState === state);

it('opens in every caller when their local breakers open before it, and closes those too', async () => {
  await begin(localDefaults);
  healthy.fill(false);
  await until(() => allAre(BreakerState.open), { what: 'open everywhere', intervalMs: 1 });
  const openMs = performance.now() - firstFailureAtMs;
  console.log(`fleet breaker opened in ${callers} callers ${openMs.toFixed(0)} ms after the first failure`);
  expect(openMs).toBeLessThan(1000);
  expect(coordinator.view(target)?.evidence?.text).toMatch(/^[34] of 4 callers, \d+\/\d+ failed$/);
  healthy.fill(true);
  const healedAtMs = performance.now();
  const isClosed = () => targets.every(({ breaker }) => breaker.effectiveState === BreakerState.closed);
  await until(isClosed, { what: 'closed everywhere, fleet and local', timeoutMs: 10_000 });
  console.log(`and closed ${(performance.now() - healedAtMs).toFixed(0)} ms after the target healed`);
});

it('opens in a caller that has itself seen no failure', async () => {
  await begin();
  healthy.fill(false, 1);
  await until(() => allAre(BreakerState.open), { what: 'open everywhere', intervalMs: 1 });
  const openMs = performance.now() - firstFailureAtMs;
  console.log(`opened for the healthy caller, too, after ${openMs.toFixed(0)} ms`);
  expect(openMs).toBeLessThan(1000);
  expect(coordinator.view(target)?.evidence).toMatchObject({ voters: 4, failingVoters: 3, quorum: 3 });
});

it('stays closed in all while two of four callers fail', async () => {
  await begin();
  healthy.fill(false, 2);
  const sinceMs = performance.now();
  await until(() => performance.now() - sinceMs > 2000 || !allAre(BreakerState.closed), { what: 'two seconds of it' });
  expect(allAre(BreakerState.closed)).toBe(true);
});

it('keeps the verdict when NATS dies while it stands', async () => {
  await begin();
  healthy.fill(false);
  await until(() => allAre(BreakerState.open), { what: 'open everywhere' });
  await nats.kill9();
  healthy.fill(true);
  const killedAtMs = performance.now();
  const isAlone = () => performance.now() - killedAtMs > 2500;
  await until(() => isAlone() || !allAre(BreakerState.open), { what: 'the leader counts as lost' });
  expect(allAre(BreakerState.open)).toBe(true);
});
