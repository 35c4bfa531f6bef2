/** 5: an hour at 1.5 times the capacity. A limiter that creeps upward does so here. */
import { goodput } from '../metrics.ts';
import { limitSampleMs, type Recording } from '../recording.ts';
import type { Scenario } from '../scenario.ts';
import { callerName, capacityRps, serviceName, standard } from './standard.ts';

const warmUpMs = 60_000;
const durations = { full: 3_600_000, short: 180_000 };
const perMinute = 60_000 / limitSampleMs;

/** The mean limit of each minute after the first. */
function minuteLimits(recording: Recording): number[] {
  const { limits } = recording.service(serviceName);
  const minutes = Math.floor(recording.durationMs / 60_000);
  return Array.from({ length: minutes - 1 }, (_, i) => {
    const samples = limits.slice((i + 1) * perMinute, (i + 2) * perMinute);
    return samples.reduce((sum, limit) => sum + limit, 0) / samples.length;
  });
}

export const hour: Scenario = {
  id: 5,
  title: 'an hour at 1.5×',
  seedsMax: 1,
  cases: (size) => [{ name: 'hour', experiment: standard([{ fromMs: 0, rps: 1.5 * capacityRps }], durations[size]) }],
  metrics: [
    {
      name: 'goodput',
      unit: '%',
      target: { atLeast: 0.97 },
      of: (recordings) => {
        const recording = recordings.get('hour')!;
        return goodput(recording.caller(callerName), capacityRps, warmUpMs, recording.durationMs);
      },
    },
    {
      name: 'goodput, last minute',
      unit: '%',
      target: null,
      of: (recordings) => {
        const recording = recordings.get('hour')!;
        const { durationMs } = recording;
        return goodput(recording.caller(callerName), capacityRps, durationMs - 60_000, durationMs);
      },
    },
    {
      name: 'drift of the limit (minutes from the mean)',
      unit: '%',
      target: { atMost: 0.2 },
      of: (recordings) => {
        const limits = minuteLimits(recordings.get('hour')!);
        const mean = limits.reduce((sum, limit) => sum + limit, 0) / limits.length;
        return mean === 0 ? Number.NaN : Math.max(...limits.map((limit) => Math.abs(limit - mean))) / mean;
      },
    },
    {
      name: 'limit, last minute',
      unit: '',
      target: null,
      of: (recordings) => minuteLimits(recordings.get('hour')!).at(-1) ?? Number.NaN,
    },
  ],
  baselines: ['nothing', 'fixed', 'gradient2', 'envoy-gradient', 'aimd'],
  plots: [
    {
      file: '05-limit',
      title: 'The limit during an hour at 1.5×',
      x: 'minutes',
      y: 'limit',
      points: (recordings) => minuteLimits(recordings.get('hour')!).map((limit, i) => [i + 1, limit] as const),
    },
    {
      file: '05-goodput',
      title: 'Goodput during an hour at 1.5×',
      x: 'minutes',
      y: 'good answers / capacity',
      points: (recordings) => {
        const recording = recordings.get('hour')!;
        return Array.from({ length: Math.floor(recording.durationMs / 60_000) }, (_, i) => {
          const share = goodput(recording.caller(callerName), capacityRps, i * 60_000, (i + 1) * 60_000);
          return [i, share] as const;
        });
      },
    },
  ],
};
