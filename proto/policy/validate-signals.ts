/** Fields that tell of rate limits where there are none. */
import { type Finding, member } from './problems.ts';

/** `spec`: the whole, since a route may have the limits. */
export function signalsOfNothing(spec: unknown, pointer: string): Finding[] {
  const inbound = member(spec, 'inbound');
  const routes = member(spec, 'routes');
  if (member(member(inbound, 'signals'), 'rateLimitFields') !== true || hasLimits(inbound)) return [];
  if (Array.isArray(routes) && routes.some((route) => hasLimits(member(route, 'inbound')))) return [];
  const message = 'there is no rate limit to tell of';
  return [{ pointer: `${pointer}/inbound/signals/rateLimitFields`, message, hint: 'add rateLimits, or remove it' }];
}

function hasLimits(inbound: unknown): boolean {
  const limits = member(inbound, 'rateLimits');
  return limits !== undefined && !(Array.isArray(limits) && limits.length === 0);
}
