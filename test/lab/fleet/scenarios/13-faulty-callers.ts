/**
 * 13: a healthy service, and of its hundred callers 1 to 49 that fail by their own fault, at 1 to 100 requests a second
 * each. The breaker must not open, with the target's own sidecars as witnesses and without, and the culprits must be
 * named. Where most callers fail and the target knows that it is well, it must not open either.
 */
import type { Size } from '../../scenario.ts';
import { type FleetScenario, type Measure, worst } from '../fleet-scenario.ts';
import { localDefaults } from '../fleet-stage.ts';
import { FleetWorld } from '../fleet-world.ts';
import { calmNetwork } from '../network.ts';

const faultyFromMs = 4000;
const callers = 100;

interface Run {
  readonly rps: number;
  readonly faulty: number;
  readonly seed: number;
  readonly witnesses: number;
  readonly durationMs: number;
}

function world({ rps, faulty, seed, witnesses, durationMs }: Run): FleetWorld {
  const one = new FleetWorld({
    seed,
    durationMs,
    callers,
    rpsEach: rps,
    controlPlanes: 1,
    plan: { changes: [], latencyMs: 5 },
    network: calmNetwork,
    // A local breaker would take the failing callers out of the question.
    local: { ...localDefaults, consecutiveFailures: 0, failureRatio: null },
    timeoutMs: 500,
    fleet: true,
    witnesses,
    isFaulty: (caller) => caller < faulty,
    faultyFromMs,
  });
  one.notesArrivals = false;
  return one.run();
}

export const faultyCallers: FleetScenario = {
  id: 13,
  title: 'faulty callers, 1 to 49 of 100',
  measure(size: Size, progress): Measure[] {
    const measures: Measure[] = [];
    const runs = size === 'full' ? 100 : 4;
    for (const rps of [1, 4, 20, 100]) {
      const durationMs = rps >= 20 ? 9000 : 14_000;
      for (const witnesses of [0, 4]) {
        // The busiest runs are the longest; half of them each way.
        const count = rps === 100 ? runs / 2 : runs;
        let opens = 0;
        const namedMs: number[] = [];
        for (let run = 0; run < count; run++) {
          progress(`${rps} rps, ${witnesses > 0 ? 'with' : 'without'} witnesses, run ${run + 1}`);
          const faulty = run % 2 === 0 ? 49 - (run % 8) : 1 + ((run * 7) % 49);
          const one = world({ rps, faulty, seed: run + 1, witnesses, durationMs });
          if (one.firstSaidAtMs.has('open')) opens++;
          for (let caller = 0; caller < faulty; caller++) {
            const atMs = one.suspectsAtMs.get(`shop/orders/orders-${caller}`) ?? Number.NaN;
            namedMs.push(atMs - faultyFromMs);
          }
        }
        const how = `${rps} rps each, ${witnesses > 0 ? 'with' : 'without'} witnesses`;
        measures.push({ name: `false opens: ${how}`, unit: '', target: { atMost: 0 }, value: opens });
        if (witnesses > 0) continue;
        // At one a second, two failures alone take longer.
        const target = rps > 1 ? { atMost: 2000 } : null;
        measures.push({
          name: `culprits named (95 of 100): ${how}`,
          unit: 'ms',
          target,
          value: percentile(namedMs, 0.95),
        });
      }
    }
    const pathFaults = [1, 2, 3].map((seed) => world({ rps: 20, faulty: 70, seed, witnesses: 4, durationMs: 9000 }));
    const opened = pathFaults.filter((one) => one.firstSaidAtMs.has('open')).length;
    measures.push({
      name: 'opens: 70 of 100 faulty, the target vouches',
      unit: '',
      target: { atMost: 0 },
      value: opened,
    });
    const dead = [1, 2, 3].map((seed) => deadService(seed));
    measures.push({
      name: 'a dead service, 3 callers at 5 rps: opens',
      unit: 'ms',
      target: { atMost: 3000 },
      value: worst(dead),
    });
    return measures;
  },
};

function deadService(seed: number): number {
  const one = new FleetWorld({
    seed,
    durationMs: 20_000,
    callers: 3,
    rpsEach: 5,
    controlPlanes: 1,
    plan: { changes: [{ atMs: 8000, mode: 'failing' }], latencyMs: 5 },
    network: calmNetwork,
    local: localDefaults,
    timeoutMs: 500,
    fleet: true,
  }).run();
  return (one.firstSaidAtMs.get('open') ?? Number.NaN) - 8000;
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.map((value) => (Number.isNaN(value) ? Number.POSITIVE_INFINITY : value)).sort((a, b) => a - b);
  return sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN;
}
