/** 11: a service that fails for 5 s, works for 5 s, and so on for 5 minutes. A breaker must neither sleep through nor chatter. */
import { sum } from '../recording.ts';
import type { Change, Recordings, Scenario } from '../scenario.ts';
import { callerName, serviceName } from './standard.ts';

const halfMs = 5000;
const cycleMs = 2 * halfMs;
const durations = { full: 300_000, short: 60_000 };
const sidecars = 2;

const changes = (durationMs: number): Change[] =>
  Array.from({ length: durationMs / cycleMs }, (_, i) => [
    { atMs: i * cycleMs + halfMs, failing: true },
    { atMs: (i + 1) * cycleMs, failing: false },
  ]).flat();

/** While it works, but for the first cycle. */
function upTime(found: Recordings, counts: 'offered' | 'goodByArrival'): number {
  const recording = found.get('flapping')!;
  const record = recording.caller(callerName)[counts];
  let total = 0;
  for (let atMs = cycleMs; atMs < recording.durationMs; atMs += cycleMs) total += sum(record, atMs, atMs + halfMs);
  return total;
}

export const flapping: Scenario = {
  id: 11,
  title: 'flapping, 5 s down and 5 s up',
  cases: (size) => [
    {
      name: 'flapping',
      experiment: {
        durationMs: durations[size],
        services: [
          {
            name: serviceName,
            replicas: [{ workers: 8, serviceMs: 10, service: 'exponential', changes: changes(durations[size]) }],
          },
        ],
        callers: [
          { name: callerName, service: serviceName, load: [{ fromMs: 0, rps: 400 }], timeoutMs: 500, sidecars },
        ],
      },
    },
  ],
  metrics: [
    {
      name: 'answered while it works',
      unit: '%',
      target: { atLeast: 0.8 },
      of: (found) => upTime(found, 'goodByArrival') / upTime(found, 'offered'),
    },
    {
      name: 'opens per outage and caller',
      unit: '',
      target: { atMost: 1 },
      of: (found) => {
        const recording = found.get('flapping')!;
        return sum(recording.service(serviceName).opened) / (recording.durationMs / cycleMs) / sidecars;
      },
    },
    {
      name: 'requests that the failing service saw',
      unit: '%',
      target: null,
      of: (found) => {
        const recording = found.get('flapping')!;
        const arrived = recording.service(serviceName).arrived;
        const offered = recording.caller(callerName).offered;
        let seen = 0;
        let asked = 0;
        for (let atMs = halfMs; atMs < recording.durationMs; atMs += cycleMs) {
          seen += sum(arrived, atMs, atMs + halfMs);
          asked += sum(offered, atMs, atMs + halfMs);
        }
        return seen / asked;
      },
    },
  ],
  baselines: ['nothing'],
  additions: { [serviceName]: [{ outbound: { circuitBreaker: {} } }] },
};
