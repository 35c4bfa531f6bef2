/**
 * 8: the experiment of OSDI '22, a tenth of its size: 620 requests a second for a capacity of 775, timeout 3 s, 4 retries;
 * for 10 s the service does a fifth of its work.
 */
import { recoveryMs, successOver, wasted } from '../metrics.ts';
import { sum } from '../recording.ts';
import type { Recordings, Scenario } from '../scenario.ts';
import { callerName, serviceName } from './standard.ts';

const slow = { fromMs: 15_000, toMs: 25_000 };
const durations = { full: 90_000, short: 40_000 };
const workers = 8;
const capacityRps = 775;

const callerOf = (recordings: Recordings) => recordings.get('slow')!.caller(callerName);

export const metastable: Scenario = {
  id: 8,
  title: 'metastable: 10 s at a fifth, 4 retries',
  cases: (size) => [
    {
      name: 'slow',
      experiment: {
        durationMs: durations[size],
        services: [
          {
            name: serviceName,
            replicas: [
              {
                workers,
                serviceMs: (1000 * workers) / capacityRps,
                service: 'exponential',
                changes: [
                  { atMs: slow.fromMs, speed: 0.2 },
                  { atMs: slow.toMs, speed: 1 },
                ],
              },
            ],
          },
        ],
        callers: [
          {
            name: callerName,
            service: serviceName,
            load: [{ fromMs: 0, rps: 620 }],
            timeoutMs: 3000,
            retriesMax: 4,
            sidecars: 4,
          },
        ],
      },
    },
  ],
  metrics: [
    {
      name: 'recovery to 95 %',
      unit: 'ms',
      target: { atMost: 1000 },
      of: (found) => recoveryMs(successOver(callerOf(found)), 0.95, slow.toMs, found.get('slow')!.durationMs),
    },
    {
      name: 'attempts / offered',
      unit: '×',
      target: { atMost: 1.1 },
      of: (found) => sum(found.get('slow')!.service(serviceName).arrived) / sum(callerOf(found).offered),
    },
    {
      name: 'wasted',
      unit: '%',
      target: null,
      of: (found) => wasted(found.get('slow')!, serviceName, [callerName]),
    },
  ],
  baselines: ['nothing', 'fixed', 'gradient2', 'envoy-gradient', 'aimd', 'dagor'],
  additions: { [serviceName]: [{ outbound: { perTryTimeout: '3s' } }] },
  plots: [
    {
      file: '08-metastable',
      title: '10 s at a fifth of the capacity, 4 retries',
      x: 's',
      y: 'share answered in time',
      points: (found) => {
        const share = successOver(callerOf(found));
        const seconds = Math.floor(found.get('slow')!.durationMs / 1000);
        return Array.from({ length: seconds }, (_, i) => [i, share(i * 1000, i * 1000 + 1000)] as const);
      },
    },
  ],
};
