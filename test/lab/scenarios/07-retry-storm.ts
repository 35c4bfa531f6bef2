/**
 * 7: the retry storm of HotOS '21. A service of 300 requests a second is asked for 280, with a timeout of 1 s and one
 * retry; it stands still for 10 s. Without protection the backlog and the retries keep every answer late for ever.
 */
import { recoveryMs, successOver, wasted } from '../metrics.ts';
import { sum } from '../recording.ts';
import type { Recordings, Scenario } from '../scenario.ts';
import { callerName, serviceName } from './standard.ts';

const outage = { fromMs: 15_000, toMs: 25_000 };
const durations = { full: 75_000, short: 35_000 };

const callerOf = (recordings: Recordings) => recordings.get('storm')!.caller(callerName);

export const retryStorm: Scenario = {
  id: 7,
  title: 'retry storm: 10 s outage, 1 retry',
  cases: (size) => [
    {
      name: 'storm',
      experiment: {
        durationMs: durations[size],
        services: [
          {
            name: serviceName,
            replicas: [
              {
                workers: 3,
                serviceMs: 10,
                service: 'exponential',
                changes: [
                  { atMs: outage.fromMs, speed: 0 },
                  { atMs: outage.toMs, speed: 1 },
                ],
              },
            ],
          },
        ],
        callers: [
          {
            name: callerName,
            service: serviceName,
            load: [{ fromMs: 0, rps: 280 }],
            timeoutMs: 1000,
            retriesMax: 1,
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
      target: { atMost: 500 },
      of: (found) => {
        const { durationMs } = found.get('storm')!;
        return recoveryMs(successOver(callerOf(found)), 0.95, outage.toMs, durationMs);
      },
    },
    {
      name: 'wasted',
      unit: '%',
      target: { atMost: 0.02 },
      of: (found) => wasted(found.get('storm')!, serviceName, [callerName]),
    },
    {
      name: 'attempts / offered',
      unit: '×',
      target: null,
      // Who arrived is counted in simulated time only.
      of: (found) => {
        const arrived = sum(found.get('storm')!.service(serviceName).arrived);
        return arrived === 0 ? Number.NaN : arrived / sum(callerOf(found).offered);
      },
    },
  ],
  baselines: ['nothing', 'fixed', 'gradient2', 'envoy-gradient', 'aimd', 'dagor'],
  additions: { [serviceName]: [{ outbound: { perTryTimeout: '1s' } }] },
  plots: [
    {
      file: '07-retry-storm',
      title: 'A 10 s outage under retries',
      x: 's',
      y: 'share answered in time',
      points: (found) => {
        const share = successOver(callerOf(found));
        const seconds = Math.floor(found.get('storm')!.durationMs / 1000);
        return Array.from({ length: seconds }, (_, i) => [i, share(i * 1000, i * 1000 + 1000)] as const);
      },
    },
  ],
};
