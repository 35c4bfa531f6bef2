/** The health of a target's endpoints as plain data, which crosses threads and is shown to operators. */
import type { Endpoint } from '../../routing/endpoint.ts';

/** Endpoints of one target that a reading tells about one by one; the counts are of all. */
export const notableEndpointsMax = 64;

export interface EndpointState {
  readonly address: string;
  /** By its checks; true without any. */
  readonly healthy: boolean;
  /** False for a while after a failed attempt to connect, or a lost connection. */
  readonly reachable: boolean;
  /** What the last check found, '' when that was good or there was none. */
  readonly lastCheck: string;
}

export interface EndpointHealthReading {
  readonly upstream: string;
  readonly known: number;
  /** Neither unhealthy by their checks nor out of reach. */
  readonly healthy: number;
  /** Those that there is something to say about. */
  readonly notable: readonly EndpointState[];
}

export function healthReading(upstream: string, endpoints: readonly Endpoint[], nowMs: number): EndpointHealthReading {
  let healthy = 0;
  const notable: EndpointState[] = [];
  for (const endpoint of endpoints) {
    const reachable = !endpoint.isOut(nowMs);
    const lastCheck = endpoint.health?.detail ?? '';
    if (endpoint.isHealthy && reachable) healthy++;
    if ((!endpoint.isHealthy || !reachable || lastCheck !== '') && notable.length < notableEndpointsMax) {
      notable.push({ address: endpoint.address, healthy: endpoint.isHealthy, reachable, lastCheck });
    }
  }
  return { upstream, known: endpoints.length, healthy, notable };
}

/** Each thread checks for itself and has its own luck with connections: the one that sees the fewest healthy speaks. */
export function worstHealth(all: readonly EndpointHealthReading[]): EndpointHealthReading[] {
  const byUpstream = new Map<string, EndpointHealthReading>();
  for (const reading of all) {
    const known = byUpstream.get(reading.upstream);
    if (known === undefined || reading.healthy < known.healthy) byUpstream.set(reading.upstream, reading);
  }
  return [...byUpstream.values()];
}
