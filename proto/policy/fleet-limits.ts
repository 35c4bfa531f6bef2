/**
 * The rate limits of a policy that the fleet shares, as both sides need them: the leader that gives out shares and the
 * sidecar that lives by them compute the same numbers from the same spec, so that they need not be sent.
 */
import { assert } from '../kernel/assert.ts';
import { parseDuration } from '../kernel/duration.ts';
import { type EffectiveRateLimit, rateLimitWithDefaults } from './defaults-rate-limits.ts';
import { parseRate } from './rate.ts';
import type { PolicySpec } from './schema.ts';
import type { InboundSpec } from './schema-inbound.ts';

export type WithoutControlPlane = 'safe' | 'open' | 'closed';

/** Rates are cost per second. */
export interface FleetLimit {
  readonly rate: number;
  /** Cost that all instances together admit at once after a quiet time. */
  readonly burst: number;
  /** The highest cost of one request: no bucket is smaller. */
  readonly costMax: number;
  readonly instancesMax: number;
  /** What each instance may admit without having been heard of; 0 where it admits nothing. */
  readonly newcomerRate: number;
  /** The most that an instance admits when its lease has run out; 0 where it admits nothing. */
  readonly safeRateMax: number;
  readonly safeForMs: number;
  readonly withoutControlPlane: WithoutControlPlane;
  readonly chunks: boolean;
}

/** null: each proxy counts alone. */
export function fleetLimitOf(limit: EffectiveRateLimit): FleetLimit | null {
  const { fleet } = limit;
  if (fleet === undefined) return null;
  const rate = parseRate(limit.rate);
  const safeForMs = parseDuration(fleet.safeFor);
  assert(rate !== undefined && safeForMs !== undefined, `no fleet limit: ${limit.rate}, ${fleet.safeFor}`);
  const { instancesMax, withoutControlPlane } = fleet;
  const chunks = fleet.allotment === 'chunks';
  const nothing = chunks || withoutControlPlane === 'closed';
  const reserve = (rate * fleet.reservePercent) / 100;
  return {
    rate,
    burst: limit.burst ?? 1,
    costMax: costMaxOf(limit),
    instancesMax,
    newcomerRate: nothing ? 0 : reserve / instancesMax,
    safeRateMax: nothing ? 0 : rate / instancesMax,
    safeForMs,
    withoutControlPlane,
    chunks,
  };
}

/** Of a whole policy, by the key under which reports and leases name them. */
export function fleetLimitsOf(spec: PolicySpec | null): Map<string, FleetLimit> {
  const limits = new Map<string, FleetLimit>();
  const take = (inbound: InboundSpec | undefined, route: string): void => {
    for (const limit of inbound?.rateLimits ?? []) {
      const shared = fleetLimitOf(rateLimitWithDefaults(limit));
      if (shared !== null) limits.set(fleetLimitKey(route, limit.name), shared);
    }
  };
  if (spec === null || spec.enforcement === 'disabled') return limits;
  take(spec.inbound, '');
  for (const route of spec.routes ?? []) take(route.inbound, route.name);
  return limits;
}

/** `route` is empty for the service's own. */
export function fleetLimitKey(route: string, name: string): string {
  return route === '' ? name : `${route}/${name}`;
}

/**
 * Of a share of the limit: half of the burst goes with the rate and half is the same for each of `instancesMax`, since little
 * that comes by chance needs more room, for its rate, than much. Together no more than the burst, but that every bucket
 * holds the dearest request.
 */
export function burstOfShare({ burst, rate, costMax, instancesMax }: FleetLimit, share: number): number {
  return share <= 0 ? 0 : Math.max(costMax, (burst / 2) * (share / rate + 1 / instancesMax));
}

function costMaxOf({ cost }: EffectiveRateLimit): number {
  return 'header' in cost ? Math.max(cost.header.max, cost.header.default) : cost.constant;
}
