/** 6: a tenth of the requests matters more. Without priorities a load of x leaves them 1/x, like everybody. */
import { success } from '../metrics.ts';
import type { Recordings, Scenario } from '../scenario.ts';
import { app, capacityRps, serviceName, timeoutMs } from './standard.ts';

const loads = [1.5, 2, 3, 5, 10];
const warmUpMs = 5000;
const measuredMs = { full: 25_000, short: 5000 };
const nameOf = (load: number): string => `${load}x`;
const share = { high: 0.1, low: 0.9 };

function successAt(recordings: Recordings, caller: string, load: number): number {
  const recording = recordings.get(nameOf(load))!;
  return success(recording.caller(caller), warmUpMs, recording.durationMs);
}

export const priority: Scenario = {
  id: 6,
  title: 'priority: 10 % are important',
  cases: (size) =>
    loads.map((load) => ({
      name: nameOf(load),
      experiment: {
        durationMs: warmUpMs + measuredMs[size],
        services: [{ name: serviceName, replicas: [app] }],
        callers: (['high', 'low'] as const).map((name) => ({
          name,
          service: serviceName,
          timeoutMs,
          load: [{ fromMs: 0, rps: load * capacityRps * share[name] }],
          kinds: [{ path: `/lab.Service/${name}`, headers: [['x-lab-class', name] as const] }],
        })),
      },
    })),
  metrics: [
    {
      name: 'important ones answered, to 5×',
      unit: '%',
      target: { atLeast: 0.99 },
      of: (found) => Math.min(...loads.filter((load) => load <= 5).map((load) => successAt(found, 'high', load))),
    },
    {
      name: 'important ones answered, at 10×',
      unit: '%',
      target: { atLeast: 0.85 },
      of: (found) => successAt(found, 'high', 10),
    },
    ...loads
      .map((load) => ({
        name: `important ones answered, at ${load}×`,
        unit: '%' as const,
        target: null,
        of: (found: Recordings) => successAt(found, 'high', load),
      }))
      .slice(0, -1),
  ],
  baselines: ['nothing', 'fixed', 'gradient2', 'envoy-gradient', 'dagor'],
  plots: [
    {
      file: '06-priority',
      title: 'Important requests against load',
      x: 'offered load / capacity',
      y: 'share answered in time',
      logX: true,
      points: (found) => loads.map((load) => [load, successAt(found, 'high', load)] as const),
    },
  ],
};
