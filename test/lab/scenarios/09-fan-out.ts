/**
 * 9: each request to the front needs k answers of the backend. Refusing at random leaves (1 − p)^k; refusing by user, the
 * same ones each time, leaves 1 − p.
 */
import { goodput, wasted } from '../metrics.ts';
import type { Case, Recordings, Scenario, Size } from '../scenario.ts';
import { app, callerName, capacityRps, serviceName } from './standard.ts';

const fans = [2, 4];
const loads = [1.5, 2, 4];
const warmUpMs = 8000;
const measuredMs = { full: 15_000, short: 5000 };
const users = 400;
const front = 'front';
const nameOf = (fan: number, load: number): string => `k=${fan} ${load}x`;

const userKinds = Array.from({ length: users }, (_, i) => ({
  path: '/lab.Front/Call',
  headers: [
    ['x-lab-user', `user-${i}`],
    ['traceparent', `00-${(i + 1).toString(16).padStart(32, '0')}-${(i + 1).toString(16).padStart(16, '0')}-01`],
  ] as const,
}));

const caseOf = (fan: number, load: number, size: Size): Case => ({
  name: nameOf(fan, load),
  experiment: {
    durationMs: warmUpMs + measuredMs[size],
    services: [
      { name: serviceName, replicas: [app] },
      {
        name: front,
        replicas: [
          {
            workers: 64,
            serviceMs: 1,
            service: 'exponential',
            heedsCancel: true,
            calls: { service: serviceName, count: fan },
          },
        ],
      },
    ],
    callers: [
      {
        name: callerName,
        service: front,
        load: [{ fromMs: 0, rps: (load * capacityRps) / fan }],
        timeoutMs: 200,
        kinds: userKinds,
      },
    ],
  },
});

const shareAt = (found: Recordings, fan: number, load: number): number => {
  const recording = found.get(nameOf(fan, load))!;
  return goodput(recording.caller(callerName), capacityRps / fan, warmUpMs, recording.durationMs);
};

export const fanOut: Scenario = {
  id: 9,
  title: 'fan-out of 2 and 4 at 1.5–4×',
  cases: (size) => fans.flatMap((fan) => loads.map((load) => caseOf(fan, load, size))),
  metrics: [
    ...fans.map((fan) => ({
      name: `goodput, k = ${fan}`,
      unit: '%' as const,
      target: { atLeast: 0.97 },
      of: (found: Recordings) => Math.min(...loads.map((load) => shareAt(found, fan, load))),
    })),
    ...fans.map((fan) => ({
      name: `wasted, k = ${fan}`,
      unit: '%' as const,
      target: { atMost: 0.01 },
      of: (found: Recordings) =>
        Math.max(
          ...loads.map((load) =>
            wasted(found.get(nameOf(fan, load))!, serviceName, [callerName], { perRequest: fan, fromMs: warmUpMs }),
          ),
        ),
    })),
  ],
  // Only a level makes the parts of a fan-out agree on whom to refuse.
  additions: { [serviceName]: [{ inbound: { levels: {} } }], [front]: [{ inbound: { levels: {} } }] },
  baselines: ['nothing', 'fixed', 'gradient2', 'envoy-gradient', 'dagor'],
};
