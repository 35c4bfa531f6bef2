/** The service that most scenarios are about: 8 workers, exponential 10 ms, so 800 requests a second; deadline 100 ms. */
import type { AppSpec, CallerSpec, Change, Experiment, Load } from '../scenario.ts';

export const capacityRps = 800;
export const serviceName = 'backend';
export const callerName = 'callers';
export const timeoutMs = 100;

export const app: AppSpec = { workers: 8, serviceMs: 10, service: 'exponential' };

export function standard(
  load: readonly Load[],
  durationMs: number,
  more: { changes?: readonly Change[]; caller?: Partial<CallerSpec> } = {},
): Experiment {
  return {
    durationMs,
    services: [{ name: serviceName, replicas: [more.changes === undefined ? app : { ...app, changes: more.changes }] }],
    callers: [{ name: callerName, service: serviceName, load, timeoutMs, ...more.caller }],
  };
}

/** Load that alternates: `low` for so long, `high` for so long, again and again. Answers when each high begins, too. */
export function alternating(options: Readonly<Record<'low' | 'lowMs' | 'high' | 'highMs' | 'times', number>>): {
  load: Load[];
  begins: number[];
  durationMs: number;
} {
  const { low, lowMs, high, highMs, times } = options;
  const cycleMs = lowMs + highMs;
  const cycles = Array.from({ length: times }, (_, i) => i * cycleMs);
  return {
    load: cycles.flatMap((fromMs) => [
      { fromMs, rps: low * capacityRps },
      { fromMs: fromMs + lowMs, rps: high * capacityRps },
    ]),
    begins: cycles.map((fromMs) => fromMs + lowMs),
    durationMs: times * cycleMs,
  };
}
