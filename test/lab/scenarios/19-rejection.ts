/** 19: what a rejection costs, and how soon they are made where they cost least: at the callers. */
import { sum } from '../recording.ts';
import type { Recordings, Scenario } from '../scenario.ts';
import { rejectionCostUs } from '../sim/rejection-cost.ts';
import { callerName, capacityRps, serviceName, standard } from './standard.ts';

const overloadFromMs = 5000;
const durations = { full: 15_000, short: 10_000 };

/** Of the refusals in that time, those that the service's sidecars did not have to make. */
function atCallers(found: Recordings, fromMs: number, toMs: number): number {
  const recording = found.get('10x')!;
  const { arrived, begun } = recording.service(serviceName);
  const refused = sum(recording.caller(callerName).refused, fromMs, toMs);
  const there = sum(arrived, fromMs, toMs) - sum(begun, fromMs, toMs);
  return refused === 0 ? Number.NaN : Math.max(0, 1 - there / refused);
}

export const rejection: Scenario = {
  id: 19,
  title: 'rejections: their cost, and pushback at 10×',
  cases: (size) => [
    {
      name: '10x',
      experiment: standard(
        [
          { fromMs: 0, rps: 0.8 * capacityRps },
          { fromMs: overloadFromMs, rps: 10 * capacityRps },
        ],
        durations[size],
        { caller: { sidecars: 4 } },
      ),
    },
  ],
  metrics: [
    {
      name: 'one rejection (real time)',
      unit: 'µs',
      target: { atMost: 20 },
      of: () => rejectionCostUs(),
    },
    {
      name: 'rejected at the caller, from 1 s on',
      unit: '%',
      target: { atLeast: 0.9 },
      of: (found) => atCallers(found, overloadFromMs + 1000, found.get('10x')!.durationMs),
    },
    {
      name: 'goodput meanwhile',
      unit: '%',
      target: null,
      of: (found) => {
        const { durationMs } = found.get('10x')!;
        const good = sum(found.get('10x')!.caller(callerName).good, overloadFromMs + 1000, durationMs);
        return good / ((capacityRps * (durationMs - overloadFromMs - 1000)) / 1000);
      },
    },
  ],
  // Callers know whom to keep back from the level that the service tells them.
  additions: { [serviceName]: [{ inbound: { levels: {} } }] },
  baselines: ['fixed', 'dagor'],
};
