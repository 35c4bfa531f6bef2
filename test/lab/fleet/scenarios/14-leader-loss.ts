/**
 * 14: everything that can happen to the leader and its store while a breaker is open, over a network that loses, delays,
 * doubles and reorders, with clocks 200 ms apart. How many probes does the dead service see in a second, at worst? How
 * long is there no leader? Is everything closed again once the service and the network are well?
 */
import { XorShift32 } from '../../../../proto/kernel/random.ts';
import type { Size } from '../../scenario.ts';
import { type Happened, planFaults } from '../fault-schedule.ts';
import { type FleetScenario, type Measure, seedsFor, worst } from '../fleet-scenario.ts';
import { localDefaults } from '../fleet-stage.ts';
import { FleetWorld } from '../fleet-world.ts';
import { roughNetwork } from '../network.ts';
import type { Arrival } from '../service-node.ts';

const failsAtMs = 5000;
const healsAtMs = 17_000;
const endMs = 34_000;
const probesPerRound = 5;
const roundMs = 1000;

export interface Schedule {
  readonly world: FleetWorld;
  readonly happened: readonly Happened[];
  /** Of callers that obeyed a verdict. */
  readonly probesASecond: number;
  readonly isBack: boolean;
}

function worldOf(seed: number): FleetWorld {
  return new FleetWorld({
    seed,
    durationMs: endMs,
    callers: 12,
    rpsEach: 20,
    controlPlanes: 3,
    plan: {
      changes: [
        { atMs: failsAtMs, mode: 'failing' },
        { atMs: healsAtMs, mode: 'well' },
      ],
      latencyMs: 10,
    },
    network: roughNetwork,
    local: localDefaults,
    timeoutMs: 500,
    fleet: true,
    skewMaxMs: 200,
  });
}

export function runSchedule(seed: number): Schedule {
  const world = worldOf(seed);
  const happened = planFaults(world, new XorShift32(seed * 31), failsAtMs - 1000, healsAtMs + 2000);
  world.run();
  const probes = world.service.arrivals.filter(
    ({ atMs, isProbe, underVerdict }) => isProbe && underVerdict && atMs < healsAtMs,
  );
  const recording = world.recording;
  const isBack = recording.sum('good', endMs - 2000, endMs) >= 0.95 * recording.sum('wanted', endMs - 2000, endMs);
  return { world, happened, probesASecond: mostWithin(probes, roundMs), isBack };
}

/** The most that came within any such span. */
export function mostWithin(arrivals: readonly Arrival[], spanMs: number): number {
  let most = 0;
  let first = 0;
  for (let last = 0; last < arrivals.length; last++) {
    while (arrivals[last]!.atMs - arrivals[first]!.atMs >= spanMs) first++;
    most = Math.max(most, last - first + 1);
  }
  return most;
}

/** Ms without a leader after it was killed, or after its store stood still for so long. */
function takeoverMs(seed: number, electionMs: number): { gapMs: number; stands: boolean } {
  const world = worldOf(seed);
  world.network.faults = { ...roughNetwork, lossShare: 0 };
  const atMs = 8000 + (seed % 10) * 97;
  world.run(atMs);
  if (electionMs === 0) world.killLeader();
  else {
    world.store.isUp = false;
    world.at(atMs + electionMs, () => {
      world.store.isUp = true;
    });
  }
  let gapMs = 0;
  let stands = true;
  for (let nowMs = atMs; nowMs < atMs + electionMs + 3000; nowMs += 10) {
    world.run(nowMs);
    if (world.leader() === undefined) gapMs += 10;
    // Once the service is well, the breaker may close.
    if (nowMs < healsAtMs && world.callers.some((caller) => !caller.isOpen)) stands = false;
  }
  return { gapMs, stands };
}

export const leaderLoss: FleetScenario = {
  id: 14,
  title: 'the leader lost at every step, NATS split, the bucket wiped',
  measure(size: Size, progress): Measure[] {
    const count = size === 'full' ? 1000 : 20;
    let most = 0;
    let mostWhole = 0;
    let back = 0;
    for (let seed = 1; seed <= count; seed++) {
      if (seed % 20 === 0) progress(`schedule ${seed} of ${count}`);
      const { probesASecond, happened, isBack } = runSchedule(seed);
      const isSplit = happened.some(({ fault }) => fault === 'split' || fault === 'no NATS' || fault === 'election');
      if (isSplit) most = Math.max(most, probesASecond);
      else mostWhole = Math.max(mostWhole, probesASecond);
      if (isBack) back++;
    }
    const seeds = seedsFor(size === 'full' ? 20 : 3);
    progress('takeovers');
    const kills = seeds.map((seed) => takeoverMs(seed, 0));
    const elections = seeds.map((seed) => takeoverMs(seed, 7000));
    return [
      {
        name: 'probes in any second, of 1,000 schedules',
        unit: '',
        target: { atMost: probesPerRound },
        value: mostWhole,
      },
      {
        // A second touches two slots.
        name: 'where NATS was split or elected (one a slot beside them)',
        unit: '',
        target: { atMost: probesPerRound + 2 },
        value: most,
      },
      { name: 'back within 17 s of the healing', unit: '%', target: { atLeast: 1 }, value: back / count },
      { name: 'takeover', unit: 'ms', target: { atMost: 1200 }, value: worst(kills.map(({ gapMs }) => gapMs)) },
      {
        name: 'takeover after an election of 7 s',
        unit: 'ms',
        target: { atMost: 10_000 },
        value: worst(elections.map(({ gapMs }) => gapMs)),
      },
      {
        name: 'verdicts that stood meanwhile',
        unit: '%',
        target: { atLeast: 1 },
        value: elections.filter(({ stands }) => stands).length / elections.length,
      },
    ];
  },
};
