/**
 * 18: uneven replicas. Ten machines were given the same share of the load; five of them have others' work to do and can
 * just do theirs, the other five could do three times as much. Sent evenly, anything above 1× is too much for the busy
 * ones; there is room for twice as much in all.
 */
import { sum } from '../recording.ts';
import type { AppSpec, Recordings, Scenario } from '../scenario.ts';
import { callerName, serviceName } from './standard.ts';

const loads = [0.8, 1, 1.2, 1.5, 1.74];
const warmUpMs = 5000;
const measuredMs = { full: 15_000, short: 5000 };
const allottedRps = 1000;
const nameOf = (load: number): string => `${load}x`;
/** 4 workers of 40 ms: 100 requests a second. */
const busy: AppSpec = { workers: 4, serviceMs: 40, service: 'exponential' };
const spare: AppSpec = { workers: 12, serviceMs: 40, service: 'exponential' };
const replicas = [...Array.from({ length: 5 }, () => busy), ...Array.from({ length: 5 }, () => spare)];

const failedShare = (found: Recordings, load: number): number => {
  const recording = found.get(nameOf(load))!;
  const caller = recording.caller(callerName);
  const offered = sum(caller.offered, warmUpMs, recording.durationMs);
  return 1 - sum(caller.goodByArrival, warmUpMs, recording.durationMs) / offered;
};

export const balancing: Scenario = {
  id: 18,
  title: 'uneven replicas to 1.74× of what was allotted',
  cases: (size) =>
    loads.map((load) => ({
      name: nameOf(load),
      experiment: {
        durationMs: warmUpMs + measuredMs[size],
        services: [{ name: serviceName, replicas }],
        callers: [
          {
            name: callerName,
            service: serviceName,
            load: [{ fromMs: 0, rps: load * allottedRps }],
            timeoutMs: 1000,
            sidecars: 10,
          },
        ],
      },
    })),
  metrics: [
    {
      name: 'not answered in time, to 1.5×',
      unit: '%',
      target: { atMost: 0.0001 },
      of: (found) => Math.max(...loads.filter((load) => load <= 1.5).map((load) => failedShare(found, load))),
    },
    ...loads.map((load) => ({
      name: `not answered in time, at ${load}×`,
      unit: '%' as const,
      target: null,
      of: (found: Recordings) => failedShare(found, load),
    })),
    {
      name: 'p99 at 1.5×',
      unit: 'ms' as const,
      target: null,
      of: (found: Recordings) => found.get(nameOf(1.5))!.caller(callerName).quantileMs(0.99, warmUpMs),
    },
  ],
  baselines: ['nothing', 'round-robin', 'least-request', 'prequal'],
  plots: [
    {
      file: '18-balancing',
      title: 'Uneven replicas: not answered in time',
      x: 'load / what was allotted',
      y: 'share',
      points: (found) => loads.map((load) => [load, failedShare(found, load)] as const),
    },
  ],
};
