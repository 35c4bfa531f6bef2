/** 20: batch work at five times the capacity beside interactive requests at half of it. */
import { success } from '../metrics.ts';
import type { Recordings, Scenario, Size } from '../scenario.ts';
import { app, capacityRps, serviceName, timeoutMs } from './standard.ts';

const warmUpMs = 5000;
const measuredMs = { full: 30_000, short: 8000 };
const interactiveLoad = 0.5;

const experiment = (batchLoad: number, size: Size) => ({
  durationMs: warmUpMs + measuredMs[size],
  services: [{ name: serviceName, replicas: [app] }],
  callers: [
    {
      name: 'interactive',
      service: serviceName,
      timeoutMs,
      load: [{ fromMs: 0, rps: interactiveLoad * capacityRps }],
      kinds: [{ path: '/lab.Service/Interactive', headers: [['x-lab-class', 'normal'] as const] }],
    },
    {
      name: 'batch',
      service: serviceName,
      timeoutMs: 1000,
      load: [{ fromMs: 0, rps: batchLoad * capacityRps }],
      kinds: [{ path: '/lab.Service/Batch', headers: [['x-lab-class', 'batch'] as const] }],
    },
  ],
});

const p99In = (found: Recordings, name: string): number =>
  found.get(name)!.caller('interactive').quantileMs(0.99, warmUpMs);

export const batch: Scenario = {
  id: 20,
  title: 'batch at 5× beside interactive requests',
  cases: (size) => [
    { name: 'alone', experiment: experiment(0, size) },
    { name: 'batch', experiment: experiment(5, size) },
  ],
  metrics: [
    {
      name: "interactive requests' p99, with / without batch",
      unit: '×',
      target: { atMost: 1.2 },
      of: (found) => p99In(found, 'batch') / p99In(found, 'alone'),
    },
    {
      name: 'interactive requests answered',
      unit: '%',
      target: { atLeast: 0.99 },
      of: (found) => success(found.get('batch')!.caller('interactive'), warmUpMs, found.get('batch')!.durationMs),
    },
  ],
  baselines: ['nothing', 'fixed', 'gradient2', 'dagor'],
};
