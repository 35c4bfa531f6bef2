/**
 * 10: one of 20 routes of a service with 100 workers goes from 1 ms to 1 s. 200 requests a second of it would hold 200
 * workers, and there are 100: without protection the other routes starve.
 */
import { success } from '../metrics.ts';
import { sum } from '../recording.ts';
import type { Recordings, RequestKind, Scenario, Size } from '../scenario.ts';
import { serviceName } from './standard.ts';

const routes = 20;
const slowFromMs = 10_000;
const warmUpMs = 2000;
const durations = { full: 30_000, short: 18_000 };
const pathOf = (route: number): string => `/lab.Service/Route${route}`;
const slowPath = pathOf(0);
const rpsEach = 200;
const others: RequestKind[] = Array.from({ length: routes - 1 }, (_, i) => ({ path: pathOf(i + 1) }));
const common = { service: serviceName, timeoutMs: 1000, sidecars: 4 };

const p99 = (found: Recordings, fromMs: number, toMs: number): number =>
  found.get('slow')!.caller('others').quantileMs(0.99, fromMs, toMs);

export const slowRoute: Scenario = {
  id: 10,
  title: 'one of 20 routes from 1 ms to 1 s',
  cases: (size: Size) => [
    {
      name: 'slow',
      experiment: {
        durationMs: durations[size],
        services: [
          {
            name: serviceName,
            replicas: [
              {
                workers: 100,
                serviceMs: 1,
                service: 'exponential',
                routes: [{ path: slowPath, serviceMs: 1, changes: [{ atMs: slowFromMs, serviceMs: 1000 }] }],
              },
            ],
          },
        ],
        callers: [
          { ...common, name: 'slow', load: [{ fromMs: 0, rps: rpsEach }], kinds: [{ path: slowPath }] },
          { ...common, name: 'others', load: [{ fromMs: 0, rps: rpsEach * (routes - 1) }], kinds: others },
        ],
      },
    },
  ],
  metrics: [
    {
      name: 'other routes answered',
      unit: '%',
      target: { atLeast: 0.999 },
      of: (found) => success(found.get('slow')!.caller('others'), slowFromMs, found.get('slow')!.durationMs),
    },
    {
      name: "other routes' p99, after / before",
      unit: '×',
      target: { atMost: 1.1 },
      of: (found) => p99(found, slowFromMs, found.get('slow')!.durationMs) / p99(found, warmUpMs, slowFromMs),
    },
    {
      name: 'breaker opens after',
      unit: 'ms',
      target: { atMost: 2000 },
      of: (found) => {
        const { opened } = found.get('slow')!.service(serviceName);
        for (let atMs = slowFromMs; atMs < found.get('slow')!.durationMs; atMs += 10) {
          if (sum(opened, slowFromMs, atMs + 10) > 0) return atMs + 10 - slowFromMs;
        }
        return Number.NaN;
      },
    },
  ],
  baselines: ['nothing', 'fixed', 'gradient2', 'envoy-gradient'],
  additions: {
    [serviceName]: [
      { outbound: { timeout: '1s', circuitBreaker: {} } },
      // Each route a limit and a breaker of its own: which one will be slow nobody knows.
      {
        routes: Array.from({ length: routes }, (_, route) => ({
          name: `route-${route}`,
          match: { path: { exact: pathOf(route) } },
          inbound: { concurrency: { vegasBdp: {} }, queue: {} },
          outbound: { circuitBreaker: {} },
        })),
      },
    ],
  },
};
