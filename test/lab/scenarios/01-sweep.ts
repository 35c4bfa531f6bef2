/** 1: the load goes from half to ten times the capacity. What is beyond capacity must be refused; the rest answered well. */
import { goodput } from '../metrics.ts';
import { sum } from '../recording.ts';
import type { Metric, Recordings, Scenario } from '../scenario.ts';
import { callerName, capacityRps, standard } from './standard.ts';

const loads = [0.5, 0.8, 1, 1.2, 1.5, 2, 3, 5, 10];
const warmUpMs = 5000;
const measuredMs = { full: 15_000, short: 5000 };
const nameOf = (load: number): string => `${load}x`;
const overloads = loads.filter((load) => load >= 1.2);
/** Latency without overload. */
const unloaded = 0.5;

const goodputAt = (load: number): Metric => ({
  name: `goodput at ${load}×`,
  unit: '%',
  target: null,
  of: (recordings) => shareAt(recordings, load),
});

function shareAt(recordings: Recordings, load: number): number {
  const recording = recordings.get(nameOf(load))!;
  return goodput(recording.caller(callerName), capacityRps, warmUpMs, recording.durationMs);
}

const p99 = (recordings: Recordings, load: number): number =>
  recordings.get(nameOf(load))!.caller(callerName).quantileMs(0.99, warmUpMs);

export const sweep: Scenario = {
  id: 1,
  title: 'sweep of the load, 0.5–10×',
  cases: (size) =>
    loads.map((load) => ({
      name: nameOf(load),
      experiment: standard([{ fromMs: 0, rps: load * capacityRps }], warmUpMs + measuredMs[size]),
    })),
  metrics: [
    {
      name: 'goodput',
      unit: '%',
      target: { atLeast: 0.97 },
      of: (recordings) => Math.min(...overloads.map((load) => shareAt(recordings, load))),
    },
    {
      name: 'p99 of good answers / unloaded',
      unit: '×',
      target: { atMost: 2 },
      of: (recordings) => Math.max(...overloads.map((load) => p99(recordings, load))) / p99(recordings, unloaded),
    },
    ...loads.map(goodputAt),
  ],
  baselines: ['nothing', 'fixed', 'gradient2', 'envoy-gradient', 'aimd', 'dagor'],
  plots: [
    {
      file: '01-goodput',
      title: 'Goodput against load',
      x: 'offered load / capacity',
      y: 'good answers / capacity',
      logX: true,
      points: (recordings) =>
        loads.map((load) => {
          const recording = recordings.get(nameOf(load))!;
          const seconds = (recording.durationMs - warmUpMs) / 1000;
          return [load, sum(recording.caller(callerName).good, warmUpMs) / seconds / capacityRps] as const;
        }),
    },
  ],
};
