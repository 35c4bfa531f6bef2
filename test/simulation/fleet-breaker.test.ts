/**
 * The fleet's breaker in simulated time, both sides as they run live: callers, control planes, the store of their lease and
 * a network by a seed. The lab runs the same worlds longer and more often (npm run lab -- --scenario 12,13,14,15).
 */
import { describe, expect, it } from 'vitest';
import { type FleetWorldOptions, localDefaults } from '../lab/fleet/fleet-stage.ts';
import { FleetWorld } from '../lab/fleet/fleet-world.ts';
import { calmNetwork, roughNetwork } from '../lab/fleet/network.ts';
import { mostWithin, runSchedule } from '../lab/fleet/scenarios/14-leader-loss.ts';
import { coldRestart } from '../lab/fleet/scenarios/15-cold-restart.ts';

const failsAtMs = 6000;
const healsAtMs = 12_000;

function world(change: Partial<FleetWorldOptions> & { callers: number; rpsEach: number; seed: number }): FleetWorld {
  return new FleetWorld({
    durationMs: 20_000,
    controlPlanes: 2,
    plan: {
      changes: [
        { atMs: failsAtMs, mode: 'failing' },
        { atMs: healsAtMs, mode: 'well' },
      ],
      latencyMs: 10,
    },
    network: calmNetwork,
    local: localDefaults,
    timeoutMs: 500,
    fleet: true,
    ...change,
  });
}

describe('fleet breaker in simulation', () => {
  it.each([
    { callers: 100, rpsEach: 50, openMsMax: 400, backMsMax: 4000 },
    { callers: 100, rpsEach: 5, openMsMax: 1200, backMsMax: 4000 },
    { callers: 10, rpsEach: 20, openMsMax: 700, backMsMax: 4000 },
    // So few requests are not ten in the same 300 ms.
    { callers: 3, rpsEach: 5, openMsMax: 2500, backMsMax: 6000 },
  ])('opens for $callers callers at $rpsEach rps within $openMsMax ms, and is back in $backMsMax ms', (fleet) => {
    for (const seed of [1, 2]) {
      const { firstSaidAtMs, recording } = world({ ...fleet, seed }).run();
      expect(firstSaidAtMs.get('open')! - failsAtMs, `seed ${seed}`).toBeLessThan(fleet.openMsMax);
      expect(recording.recoveredAfterMs(0.95, healsAtMs, 20_000), `seed ${seed}`).toBeLessThan(fleet.backMsMax);
    }
  });

  it('lets no more than five requests of a round reach a dead service, however many callers there are', () => {
    const { service } = world({ callers: 200, rpsEach: 20, seed: 3, network: roughNetwork }).run(healsAtMs);
    const probes = service.arrivals.filter(({ isProbe, underVerdict }) => isProbe && underVerdict);
    expect(probes.length).toBeGreaterThan(9);
    expect(mostWithin(probes, 1000)).toBeLessThanOrEqual(5);
  });

  it.each([1, 4, 20])('stays closed while 49 of 100 callers at %d rps are faulty', (rpsEach) => {
    for (const seed of [1, 2]) {
      const plan = { changes: [], latencyMs: 5 };
      const faults = { isFaulty: (caller: number) => caller < 49, faultyFromMs: 4000 };
      const { firstSaidAtMs } = world({ callers: 100, rpsEach, seed, plan, durationMs: 10_000, ...faults }).run();
      expect(firstSaidAtMs.has('open'), `seed ${seed}`).toBe(false);
    }
  });

  it('closes in spite of twenty faulty callers of a hundred, which it has named before', () => {
    const isFaulty = (caller: number) => caller < 20;
    const local = { ...localDefaults, consecutiveFailures: 0, failureRatio: null };
    const { recording, suspectsAtMs, callers } = world({ callers: 100, rpsEach: 10, seed: 5, isFaulty, local }).run();
    expect(suspectsAtMs.size).toBe(20);
    expect(callers.some((caller) => caller.isOpen)).toBe(false);
    expect(recording.sum('good', 17_000, 19_000)).toBeGreaterThan(0.75 * recording.sum('wanted', 17_000, 19_000));
  });

  it('opens for a zone from which the target cannot be reached, and for no other', () => {
    const plan = { changes: [], latencyMs: 5 };
    const isFaulty = (caller: number) => caller % 3 === 0;
    const one = world({ callers: 30, rpsEach: 20, seed: 6, zones: 3, plan, isFaulty, faultyFromMs: 4000 }).run(6000);
    expect(one.callers.filter(({ isOpen }) => isOpen).map(({ identity }) => identity.zone)).toEqual(
      Array.from({ length: 10 }, () => 'zone-0'),
    );
  });

  it('stays closed where most callers fail and the target knows that it is well', () => {
    const plan = { changes: [], latencyMs: 5 };
    const options = { callers: 40, rpsEach: 20, seed: 7, plan, isFaulty: (caller: number) => caller < 28 };
    const vouched = world({ ...options, faultyFromMs: 4000, witnesses: 3 }).run(8000);
    expect(vouched.firstSaidAtMs.has('open')).toBe(false);
    const alone = world({ ...options, faultyFromMs: 4000 }).run(8000);
    expect(alone.firstSaidAtMs.has('open')).toBe(true);
  });

  it('keeps shut, probes once a second and comes back without any control plane', () => {
    const one = world({ callers: 5, rpsEach: 20, seed: 8, durationMs: 30_000, skewMaxMs: 200 });
    one.run(7000);
    for (const control of one.controls) control.kill();
    one.run(healsAtMs);
    expect(one.callers.every((caller) => caller.isOpen)).toBe(true);
    const alone = one.service.arrivals.filter(({ atMs, underVerdict }) => atMs > 9000 && underVerdict);
    expect(alone.length).toBeGreaterThan(0);
    expect(mostWithin(alone, 499)).toBe(1);
    one.run(30_000);
    expect(one.recording.recoveredAfterMs(0.95, healsAtMs, 30_000)).toBeLessThan(12_000);
  });

  it('is learned from the callers by control planes that all begin anew while it stands', () => {
    const one = world({ callers: 10, rpsEach: 20, seed: 9 });
    one.run(8000);
    for (const control of one.controls) control.kill();
    one.startControls();
    one.run(healsAtMs);
    expect(one.leader()).toBeDefined();
    const probes = one.service.arrivals.filter(({ atMs }) => atMs > 8000);
    expect(mostWithin(probes, 1000)).toBeLessThanOrEqual(5);
    one.run(20_000);
    expect(one.recording.recoveredAfterMs(0.95, healsAtMs, 20_000)).toBeLessThan(4500);
  });
});

describe('fleet breaker, whatever befalls its leader', () => {
  it('shows a dead service no more than five probes a second, and comes back', () => {
    for (let seed = 1; seed <= 12; seed++) {
      const { probesASecond, isBack, happened } = runSchedule(seed);
      const what = `seed ${seed}: ${happened.map(({ fault }) => fault).join(', ')}`;
      expect(probesASecond, what).toBeLessThanOrEqual(6);
      expect(isBack, what).toBe(true);
    }
  });

  it('does not overwhelm a service that begins cold', () => {
    const measures = coldRestart.measure('short', () => {});
    const collapses = measures.find(({ name }) => name === 'collapses');
    expect(collapses?.value).toBe(0);
  });
});
