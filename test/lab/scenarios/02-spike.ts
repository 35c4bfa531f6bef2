/**
 * 2: a spike to 1.4 times the capacity. Chance alone moves 100 ms of answers by a tenth, so it is the mean of 40 spikes
 * that is judged.
 */
import { meanShare, recoveryMs, worstSpan } from '../metrics.ts';
import type { Recordings, Scenario, Size } from '../scenario.ts';
import { alternating, callerName, capacityRps, standard } from './standard.ts';

const highMs = 3000;
const times = { full: 40, short: 10 };
const spikes = (size: Size) => alternating({ low: 0.5, lowMs: 2000, high: 1.4, highMs, times: times[size] });

/** After so long into the mean spike, the share of the capacity. */
const shareOf = (recordings: Recordings) => {
  const recording = recordings.get('spike')!;
  const begins = spikes('full').begins.filter((atMs) => atMs + highMs <= recording.durationMs);
  return meanShare(recording.caller(callerName).good, begins, capacityRps);
};

export const spike: Scenario = {
  id: 2,
  title: 'spike to 1.4×',
  cases: (size) => {
    const { load, durationMs } = spikes(size);
    return [{ name: 'spike', experiment: standard(load, durationMs) }];
  },
  metrics: [
    {
      name: 'recovery',
      unit: 'ms',
      target: { atMost: 500 },
      of: (recordings) => recoveryMs(shareOf(recordings), 0.95, 0, highMs),
    },
    {
      name: 'worst 100 ms',
      unit: '%',
      target: { atLeast: 0.8 },
      // The first moment of a spike is answered as its last one before: at half of the capacity.
      of: (recordings) => worstSpan(shareOf(recordings), 100, 100, highMs),
    },
  ],
  baselines: ['nothing', 'fixed', 'gradient2', 'envoy-gradient', 'aimd', 'dagor'],
  plots: [
    {
      file: '02-spike',
      title: 'A spike to 1.4×, mean of 40',
      x: 'ms since the spike began',
      y: 'good answers / capacity',
      points: (recordings) => {
        const share = shareOf(recordings);
        return Array.from({ length: highMs / 50 - 1 }, (_, i) => [i * 50 + 50, share(i * 50, i * 50 + 100)] as const);
      },
    },
  ],
};
