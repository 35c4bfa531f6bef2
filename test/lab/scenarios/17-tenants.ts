/** 17: twenty tenants share a service; one sends ten times its share. */
import { success } from '../metrics.ts';
import type { Recordings, Scenario, Size } from '../scenario.ts';
import { app, capacityRps, serviceName, timeoutMs } from './standard.ts';

const tenants = 20;
/** What each fair one sends, of its 20th of the capacity. */
const fairLoad = 0.8;
const warmUpMs = 5000;
const measuredMs = { full: 40_000, short: 10_000 };
const share = (fairLoad * capacityRps) / tenants;
const tenant = (i: number) => ({ path: '/lab.Service/Call', headers: [['x-lab-tenant', `tenant-${i}`] as const] });
const fair = Array.from({ length: tenants - 1 }, (_, i) => tenant(i + 1));

const experiment = (greedy: number, size: Size) => ({
  durationMs: warmUpMs + measuredMs[size],
  services: [{ name: serviceName, replicas: [app] }],
  callers: [
    { name: 'fair', service: serviceName, timeoutMs, load: [{ fromMs: 0, rps: share * fair.length }], kinds: fair },
    { name: 'greedy', service: serviceName, timeoutMs, load: [{ fromMs: 0, rps: share * greedy }], kinds: [tenant(0)] },
  ],
});

const successIn = (found: Recordings, name: string): number => {
  const recording = found.get(name)!;
  return success(recording.caller('fair'), warmUpMs, recording.durationMs);
};
const p99In = (found: Recordings, name: string): number =>
  found.get(name)!.caller('fair').quantileMs(0.99, warmUpMs, found.get(name)!.durationMs);

export const tenantFairness: Scenario = {
  id: 17,
  title: 'one of 20 tenants sends 10×',
  cases: (size) => [
    { name: 'fair', experiment: experiment(1, size) },
    { name: 'greedy', experiment: experiment(10, size) },
  ],
  metrics: [
    {
      name: 'what the fair ones lose',
      unit: '%',
      target: { atMost: 0.01 },
      of: (found) => successIn(found, 'fair') - successIn(found, 'greedy'),
    },
    {
      name: "the fair ones' p99, with / without",
      unit: '×',
      target: { atMost: 1.2 },
      of: (found) => p99In(found, 'greedy') / p99In(found, 'fair'),
    },
  ],
  baselines: ['nothing', 'fixed', 'gradient2', 'dagor'],
};
