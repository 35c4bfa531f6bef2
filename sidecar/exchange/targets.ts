/**
 * The services that this sidecar calls, each with its policy, endpoints, breaker and counts. A target comes into being
 * with its first request; how many there can be is bounded, since names come from the callers' requests.
 */

import type { LivePolicy } from '../policy/swap.ts';
import type { AuthorityMap } from '../routing/authority.ts';
import type { Cluster } from '../routing/cluster.ts';
import type { TrafficStats } from './traffic-stats.ts';

/** Services one sidecar may call. */
export const targetsMax = 1024;

export interface Target {
  readonly key: string;
  readonly policy: LivePolicy;
  readonly cluster: Cluster;
  readonly traffic: TrafficStats;
  /** Set by the control link: evidence that should travel at once. */
  onFailure: (() => void) | null;
  /** Set by the control link: the fleet waits for how this probe went. */
  onProbe: (() => void) | null;
}

export class Targets {
  private readonly byName = new Map<string, Target>();
  private readonly authorities: AuthorityMap;
  private readonly create: (key: string) => Target;
  /** Told of each target's first use. */
  onCreated: ((target: Target) => void) | null = null;

  constructor(authorities: AuthorityMap, create: (key: string) => Target) {
    this.authorities = authorities;
    this.create = create;
  }

  byAuthority(authority: string): Target | undefined {
    const key = this.authorities.resolve(authority);
    return key === undefined ? undefined : this.byKey(key);
  }

  /** The target of this name, made if need be; undefined when there are too many. */
  byKey(key: string): Target | undefined {
    let target = this.byName.get(key);
    if (target === undefined && this.byName.size < targetsMax) {
      target = this.create(key);
      this.byName.set(key, target);
      this.onCreated?.(target);
      this.warm(target);
    }
    return target;
  }

  /** Makes the services that it falls back to: their endpoints should be known before they are needed. */
  warm({ policy }: Target): void {
    for (const service of policy.fallbackServices()) this.byKey(service);
  }

  get(key: string): Target | undefined {
    return this.byName.get(key);
  }

  values(): IterableIterator<Target> {
    return this.byName.values();
  }
}
