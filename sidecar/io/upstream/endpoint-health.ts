/** The health of a target's endpoints as plain data, which crosses threads and is shown to operators. */
import { BreakerState, breakerStateName } from '../../resilience/breaker-state.ts';
import { ejectionCauses } from '../../resilience/ejection.ts';
import type { Cluster } from '../../routing/cluster.ts';
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
  /** Why it is ejected, or would be in shadow; '' when it is not. */
  readonly ejected: string;
  /** Of its breaker; '' where it has none. */
  readonly breaker: string;
}

export interface EndpointHealthReading {
  readonly upstream: string;
  readonly known: number;
  /** Neither unhealthy by their checks nor out of reach. */
  readonly healthy: number;
  readonly ejected: number;
  /** Breakers of endpoints that are not closed. */
  readonly breakersOpen: number;
  /** Since the start, by cause, in the order of ejectionCauses; those of shadow included. */
  readonly ejections: readonly number[];
  /** Ejections that the cap did not allow. */
  readonly capped: number;
  /** Those that there is something to say about. */
  readonly notable: readonly EndpointState[];
}

export function healthReading({ key, endpoints, outliers }: Cluster, nowMs: number): EndpointHealthReading {
  let healthy = 0;
  let ejected = 0;
  let breakersOpen = 0;
  const notable: EndpointState[] = [];
  for (const endpoint of endpoints) {
    const reachable = !endpoint.isUnreachable(nowMs);
    const isOpen = endpoint.breaker !== null && endpoint.breaker.state !== BreakerState.closed;
    if (endpoint.ejection.isEjected) ejected++;
    if (isOpen) breakersOpen++;
    const lastCheck = endpoint.health?.detail ?? '';
    if (endpoint.isHealthy && reachable) healthy++;
    const isNotable = !endpoint.isHealthy || !reachable || lastCheck !== '' || endpoint.ejection.isEjected || isOpen;
    if (isNotable && notable.length < notableEndpointsMax) notable.push(stateOf(endpoint, reachable));
  }
  return {
    upstream: key,
    known: endpoints.length,
    healthy,
    ejected,
    breakersOpen,
    ejections: outliers === null ? ejectionCauses.map(() => 0) : [...outliers.ejections],
    capped: outliers?.capped ?? 0,
    notable,
  };
}

function stateOf({ address, isHealthy, health, ejection, breaker }: Endpoint, reachable: boolean): EndpointState {
  return {
    address,
    healthy: isHealthy,
    reachable,
    lastCheck: health?.detail ?? '',
    ejected: ejection.isEjected ? (ejectionCauses[ejection.cause] ?? '') : '',
    breaker: breaker === null ? '' : breakerStateName(breaker.state),
  };
}

/** Each thread checks for itself and has its own luck: the one that sees the fewest healthy speaks. Counts add up. */
export function worstHealth(all: readonly EndpointHealthReading[]): EndpointHealthReading[] {
  const byUpstream = new Map<string, EndpointHealthReading>();
  for (const reading of all) {
    const known = byUpstream.get(reading.upstream);
    if (known === undefined) {
      byUpstream.set(reading.upstream, reading);
      continue;
    }
    const worse = reading.healthy < known.healthy ? reading : known;
    const ejections = known.ejections.map((count, i) => count + reading.ejections[i]!);
    byUpstream.set(reading.upstream, {
      ...worse,
      ejected: Math.max(known.ejected, reading.ejected),
      breakersOpen: Math.max(known.breakersOpen, reading.breakersOpen),
      ejections,
      capped: known.capped + reading.capped,
    });
  }
  return [...byUpstream.values()];
}
