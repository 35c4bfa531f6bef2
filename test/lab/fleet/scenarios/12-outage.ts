/**
 * 12: a service fails for 20 s, at once or by hanging, while 3 to 500 callers want 15 to 5,000 requests a second of it in
 * all. How soon do all leave it alone, how many requests fail, what does it see meanwhile, how soon is the traffic back?
 * Beside it callers with breakers of their own, as resilience4j's defaults have them: fifty failures of the last hundred
 * calls, which at up to ten requests a second take them the 5 s and more that the target speaks of.
 */
import type { BreakerSettings } from '../../../../sidecar/resilience/breaker-settings.ts';
import type { Size } from '../../scenario.ts';
import { type FleetScenario, type Measure, seedsFor, worst } from '../fleet-scenario.ts';
import { localDefaults } from '../fleet-stage.ts';
import { FleetWorld } from '../fleet-world.ts';
import { calmNetwork } from '../network.ts';
import type { ServiceMode } from '../service-node.ts';

const failsAtMs = 10_000;
const healsAtMs = 30_000;
const endMs = 42_000;
const timeoutMs = 500;
/** In the ramp's own seconds nothing is said about the outage. */
const settledMs = 1500;

const aloneDefaults: BreakerSettings = {
  consecutiveFailures: 0,
  failureRatio: { percent: 50, minRequests: 100, windowMs: 0, windowRequests: 100 },
  slowCalls: null,
  openForMs: 60_000,
  openForMaxMs: 60_000,
  probes: 10,
  probeTimeoutMs: 10_000,
};

interface Fleet {
  readonly callers: number;
  readonly rps: number;
}

/** Those that want enough for a quorum to be seen within the target, and those that do not. */
const busy: readonly Fleet[] = [
  { callers: 3, rps: 150 },
  { callers: 10, rps: 500 },
  { callers: 100, rps: 5000 },
  { callers: 500, rps: 5000 },
];
const quiet: readonly Fleet[] = [
  { callers: 3, rps: 15 },
  { callers: 100, rps: 500 },
];

function world({ callers, rps }: Fleet, mode: ServiceMode, seed: number, fleet = true): FleetWorld {
  return new FleetWorld({
    seed,
    durationMs: endMs,
    callers,
    rpsEach: rps / callers,
    controlPlanes: fleet ? 2 : 0,
    plan: {
      changes: [
        { atMs: failsAtMs, mode },
        { atMs: healsAtMs, mode: 'well' },
      ],
      latencyMs: 10,
    },
    network: calmNetwork,
    local: fleet ? localDefaults : aloneDefaults,
    timeoutMs,
    fleet,
  }).run();
}

const blocked = ({ recording }: FleetWorld): number => recording.blockedAfterMs(0.01, failsAtMs, healsAtMs);
const failed = ({ recording }: FleetWorld): number => recording.sum('failed', failsAtMs, healsAtMs + 1000);
const recovered = ({ recording }: FleetWorld): number => recording.recoveredAfterMs(0.95, healsAtMs, endMs);

function seenASecond({ service }: FleetWorld): number {
  const from = failsAtMs + settledMs;
  return service.arrivals.filter(({ atMs }) => atMs >= from && atMs < healsAtMs).length / ((healsAtMs - from) / 1000);
}

export const fleetOutage: FleetScenario = {
  id: 12,
  title: 'an outage of 20 s, seen by a fleet',
  measure(size: Size, progress): Measure[] {
    const measures: Measure[] = [];
    const seeds = seedsFor(size === 'full' ? 3 : 1);
    const fleets = size === 'full' ? busy : busy.slice(0, 2);
    for (const [mode, atMost] of [
      ['failing', 400],
      ['hanging', timeoutMs + 400],
    ] as const) {
      for (const fleet of [...fleets, ...quiet]) {
        const name = `${fleet.callers} callers, ${fleet.rps} rps, ${mode}`;
        progress(name);
        const worlds = seeds.map((seed) => world(fleet, mode, seed));
        const target = fleets.includes(fleet) ? { atMost } : null;
        measures.push({ name: `99 % blocked: ${name}`, unit: 'ms', target, value: worst(worlds.map(blocked)) });
        measures.push({
          name: `back to 95 %: ${name}`,
          unit: 'ms',
          target: fleets.includes(fleet) ? { atMost: 4000 } : null,
          value: worst(worlds.map(recovered)),
        });
        measures.push({
          name: `seen a second: ${name}`,
          unit: '',
          target: { atMost: 5 },
          value: worst(worlds.map(seenASecond)),
        });
        if (mode === 'failing' && fleet.rps >= 500) {
          const alone = failed(world(fleet, mode, 1, false));
          const value = worst(worlds.map((one) => failed(one) / alone));
          const isMeasured = fleet.rps / fleet.callers <= 10;
          measures.push({
            name: `failed, beside local breakers: ${name}`,
            unit: '%',
            target: isMeasured ? { atMost: 1 / 15 } : null,
            value,
          });
        }
      }
    }
    return measures;
  },
};
