/** 3: a step from half to three times the capacity, and how long until the service is fully used again. */
import { median, recoveryMs, shareOfCapacity } from '../metrics.ts';
import type { Recordings, Scenario, Size } from '../scenario.ts';
import { alternating, callerName, capacityRps, standard } from './standard.ts';

const highMs = 6000;
const times = { full: 12, short: 3 };
const steps = (size: Size) => alternating({ low: 0.5, lowMs: 4000, high: 3, highMs, times: times[size] });

function recoveries(recordings: Recordings): number[] {
  const recording = recordings.get('step')!;
  const share = shareOfCapacity(recording.caller(callerName).good, capacityRps);
  return steps('full')
    .begins.filter((atMs) => atMs + highMs <= recording.durationMs)
    .map((atMs) => recoveryMs(share, 0.95, atMs, atMs + highMs));
}

export const step: Scenario = {
  id: 3,
  title: 'step from 0.5× to 3×',
  cases: (size) => {
    const { load, durationMs } = steps(size);
    return [{ name: 'step', experiment: standard(load, durationMs) }];
  },
  metrics: [
    { name: 'recovery, median', unit: 'ms', target: { atMost: 500 }, of: (found) => median(recoveries(found)) },
    {
      name: 'recovery, worst',
      unit: 'ms',
      target: { atMost: 1000 },
      over: 'worst',
      of: (found) => Math.max(...recoveries(found)),
    },
  ],
  baselines: ['nothing', 'fixed', 'gradient2', 'envoy-gradient', 'aimd', 'dagor'],
  plots: [
    {
      file: '03-step',
      title: 'The first step to 3×',
      x: 's since the step',
      y: 'good answers / capacity',
      points: (recordings) => {
        const share = shareOfCapacity(recordings.get('step')!.caller(callerName).good, capacityRps);
        const beginMs = steps('full').begins[0]!;
        return Array.from({ length: 45 }, (_, i) => {
          const atMs = i * 100 - 500;
          return [atMs / 1000, share(beginMs + atMs, beginMs + atMs + 200)] as const;
        });
      },
    },
  ],
};
