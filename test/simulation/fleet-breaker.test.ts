/**
 * A hundred callers, one coordinator, one target, in simulated time and with a seed: reports travel with delay and
 * loss, callers report as the control link does (at once on the first failure, then every 100 ms, else every second).
 */
import { describe, expect, it } from 'vitest';
import { BreakerCoordinator } from '../../control-plane/coordination/breaker-coordinator.ts';
import { XorShift32 } from '../../proto/kernel/random.ts';
import { type FleetRun, simulateFleet } from './fleet.ts';

const outage = { fromMs: 12_000, toMs: 22_000 };

describe('fleet breaker in simulation', () => {
  for (const perCaller of [
    { callers: 100, rps: 50, openMsMax: 450 },
    { callers: 100, rps: 5, openMsMax: 1200 },
    { callers: 10, rps: 20, openMsMax: 700 },
    { callers: 4, rps: 50, openMsMax: 500 },
    { callers: 3, rps: 5, openMsMax: 2000 },
  ]) {
    it(`opens for ${perCaller.callers} callers at ${perCaller.rps} rps within ${perCaller.openMsMax} ms`, () => {
      for (let seed = 1; seed <= 3; seed++) {
        const run = simulate(seed, { ...perCaller, failing: (_, atMs) => atMs >= outage.fromMs && atMs < outage.toMs });
        expect(run.openedAtMs, `seed ${seed}`).toBeDefined();
        expect(run.openedAtMs! - outage.fromMs, `seed ${seed}`).toBeGreaterThan(0);
        expect(run.openedAtMs! - outage.fromMs, `seed ${seed}`).toBeLessThan(perCaller.openMsMax);
      }
    });
  }

  for (const rps of [1, 2, 5, 20, 50]) {
    it(`stays closed while 49 of 100 callers at ${rps} rps are faulty`, () => {
      for (let seed = 1; seed <= 3; seed++) {
        const run = simulate(seed, { callers: 100, rps, failing: (caller, atMs) => caller < 49 && atMs > 8000 });
        expect(run.openedAtMs, `seed ${seed}`).toBeUndefined();
      }
    });
  }

  it('stays closed while every request fails with a chance of 30 %', () => {
    const random = new XorShift32(7);
    const run = simulate(7, { callers: 10, rps: 20, failing: () => random.next() < 0.3 });
    expect(run.openedAtMs).toBeUndefined();
  });
});

function simulate(seed: number, fleet: Omit<FleetRun, 'random' | 'coordinator' | 'durationMs'>) {
  const random = new XorShift32(seed * 7919);
  return simulateFleet({
    ...fleet,
    random,
    durationMs: 40_000,
    coordinator: new BreakerCoordinator({ random, epochOf: () => 'epoch' }),
  });
}
