/**
 * 4: the app becomes slower, to a half and to a quarter of its speed, at 0.9 times the load that it was built for. What
 * can still be had is less than a half and a quarter: with 40 ms on average, 8 % of the answers take more than the
 * deadline by themselves.
 */
import { median, recoveryMs, shareOfCapacity } from '../metrics.ts';
import type { Change, Recordings, Scenario, Size } from '../scenario.ts';
import { app, callerName, capacityRps, standard, timeoutMs } from './standard.ts';

const wellMs = 5000;
const slowMs = 8000;
const cycleMs = wellMs + slowMs;
const times = { full: 6, short: 2 };
const speeds = [0.5, 0.25];
const nameOf = (speed: number): string => `speed ${speed}`;

const attainable = (speed: number): number => speed * (1 - Math.exp((-timeoutMs * speed) / app.serviceMs));

function changes(speed: number, count: number): Change[] {
  return Array.from({ length: count }, (_, i) => [
    { atMs: i * cycleMs + wellMs, speed },
    { atMs: (i + 1) * cycleMs, speed: 1 },
  ]).flat();
}

function recoveries(recordings: Recordings, speed: number): number[] {
  const recording = recordings.get(nameOf(speed))!;
  const share = shareOfCapacity(recording.caller(callerName).good, capacityRps * attainable(speed));
  const count = Math.floor(recording.durationMs / cycleMs);
  return Array.from({ length: count }, (_, i) => {
    const fromMs = i * cycleMs + wellMs;
    return recoveryMs(share, 0.9, fromMs, fromMs + slowMs);
  });
}

export const capacity: Scenario = {
  id: 4,
  title: 'capacity −50 % and −75 % at 0.9×',
  cases: (size: Size) =>
    speeds.map((speed) => ({
      name: nameOf(speed),
      experiment: standard([{ fromMs: 0, rps: 0.9 * capacityRps }], cycleMs * times[size], {
        changes: changes(speed, times[size]),
      }),
    })),
  metrics: speeds.map((speed) => ({
    name: `to 90 % of the new capacity, −${(1 - speed) * 100} %`,
    unit: 'ms' as const,
    target: { atMost: 1000 },
    of: (recordings: Recordings) => median(recoveries(recordings, speed)),
  })),
  baselines: ['nothing', 'fixed', 'gradient2', 'envoy-gradient', 'aimd', 'dagor'],
  plots: [
    {
      file: '04-capacity',
      title: 'The capacity falls to a quarter',
      x: 's since it fell',
      y: 'good answers / what can be had',
      points: (recordings) => {
        const good = recordings.get(nameOf(0.25))!.caller(callerName).good;
        const share = shareOfCapacity(good, capacityRps * attainable(0.25));
        return Array.from({ length: 36 }, (_, i) => {
          const atMs = i * 200 - 1000;
          return [atMs / 1000, share(wellMs + atMs, wellMs + atMs + 400)] as const;
        });
      },
    },
  ],
};
