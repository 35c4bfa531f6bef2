/**
 * Where callers reach each service: the live sidecars that announced an address. One that missed three heartbeats is
 * withdrawn, a draining one stays, marked, so that callers finish what they have with it and begin nothing new.
 */
import type { Endpoint } from '../../proto/fleet-messages.ts';
import type { Instances } from './instances.ts';

export const endpointsPerServiceMax = 5_000;

export function endpointsOf(service: string, instances: Instances, nowMs: number): Endpoint[] {
  const endpoints: Endpoint[] = [];
  for (const record of instances.of(service)) {
    const { address, draining, identity } = record.heartbeat;
    if (!address || !record.isPresent(nowMs) || endpoints.length >= endpointsPerServiceMax) continue;
    endpoints.push({ instance: identity.instance, address, zone: identity.zone, draining });
  }
  return endpoints.sort((a, b) => (a.instance < b.instance ? -1 : 1));
}

/** Two sets that print the same are the same. */
export function endpointsFingerprint(endpoints: readonly Endpoint[]): string {
  return endpoints
    .map(({ instance, address, zone, draining }) => `${instance} ${address} ${zone} ${draining}`)
    .join('\n');
}
