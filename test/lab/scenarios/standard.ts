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
