/**
 * 15: a service comes back from an outage able to answer 250 requests a second, and 1.6 times as many with each second.
 * Traffic must return without overwhelming it again. Beside it callers with breakers of their own only.
 */
import { type FleetScenario, type Measure, seedsFor, worst } from '../fleet-scenario.ts';
import { localDefaults } from '../fleet-stage.ts';
import { FleetWorld } from '../fleet-world.ts';
import { calmNetwork } from '../network.ts';

const failsAtMs = 8000;
const healsAtMs = 18_000;
const endMs = 36_000;
const wantedRps = 800;
const callers = 20;

function world(seed: number, fleet: boolean): FleetWorld {
  const capacityAt = (atMs: number): number =>
    atMs < healsAtMs ? 1000 : Math.min(1000, 250 * 1.6 ** ((atMs - healsAtMs) / 1000));
  const one = new FleetWorld({
    seed,
    durationMs: endMs,
    callers,
    rpsEach: wantedRps / callers,
    controlPlanes: fleet ? 2 : 0,
    plan: {
      changes: [
        { atMs: failsAtMs, mode: 'failing' },
        { atMs: healsAtMs, mode: 'well' },
      ],
      latencyMs: 10,
      capacityAt,
    },
    network: calmNetwork,
    local: localDefaults,
    timeoutMs: 200,
    fleet,
  });
  one.at(healsAtMs, () => one.service.restart(healsAtMs));
  return one.run();
}

/** How often, once half of what was wanted had been answered well, that fell below a third again. */
function collapses({ recording }: FleetWorld): number {
  let count = 0;
  let isBack = false;
  for (let atMs = healsAtMs; atMs + 500 <= endMs; atMs += 100) {
    const share = recording.sum('good', atMs, atMs + 500) / recording.sum('wanted', atMs, atMs + 500);
    if (share >= 0.5) isBack = true;
    else if (isBack && share < 1 / 3) {
      count++;
      isBack = false;
    }
  }
  return count;
}

export const coldRestart: FleetScenario = {
  id: 15,
  title: 'a cold restart: 250 rps, × 1.6 a second',
  measure(size, progress): Measure[] {
    const seeds = seedsFor(size === 'full' ? 10 : 2);
    progress('the fleet');
    const worlds = seeds.map((seed) => world(seed, true));
    progress('local breakers only');
    const alone = seeds.map((seed) => world(seed, false));
    const recovery = (one: FleetWorld) => one.recording.recoveredAfterMs(0.95, healsAtMs, endMs);
    return [
      { name: 'collapses', unit: '', target: { atMost: 0 }, value: worst(worlds.map(collapses)) },
      { name: 'back to 95 %', unit: 'ms', target: { atMost: 6000 }, value: worst(worlds.map(recovery)) },
      { name: 'collapses, local breakers only', unit: '', target: null, value: worst(alone.map(collapses)) },
      { name: 'back to 95 %, local breakers only', unit: 'ms', target: null, value: worst(alone.map(recovery)) },
    ];
  },
};
