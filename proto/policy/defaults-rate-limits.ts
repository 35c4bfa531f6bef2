/** Rate limits with nothing left open. */
import { defaultBurst, parseRate, rateUnit } from './rate.ts';
import type { FleetShareSpec } from './schema-fleet-limits.ts';
import type { CostSpec, KeySpec, RateAlgorithmSpec, RateLimitSpec } from './schema-rate-limits.ts';

export const defaultKeysMax = 10_000;
const defaultPacing = { waitMax: '1s', requestsMax: 100 };

export type EffectiveCost = { constant: number } | { header: { name: string; max: number; default: number } };

export type EffectiveAlgorithm =
  | { tokenBucket: object }
  | { leakyBucket: { waitMax: string; requestsMax: number } }
  | { fixedWindow: { window: string } }
  | { slidingWindow: { window: string } };

export type EffectiveFleetShare = Required<FleetShareSpec>;

export interface EffectiveRateLimit {
  name: string;
  scope: 'perProxy' | 'fleet';
  rate: string;
  /** Of token buckets; of scope fleet: all instances together. */
  burst?: number;
  algorithm: EffectiveAlgorithm;
  key?: KeySpec;
  keysMax?: number;
  cost: EffectiveCost;
  /** Of scope fleet. */
  fleet?: EffectiveFleetShare;
}

/** Of how much time the burst of a whole fleet is. */
const fleetBurstSeconds = 0.1;

export function rateLimitWithDefaults(limit: RateLimitSpec): EffectiveRateLimit {
  const algorithm = algorithmWithDefaults(limit.algorithm, limit.rate);
  const cost = costWithDefaults(limit.cost);
  const costMax = 'header' in cost ? cost.header.max : cost.constant;
  const fleet = limit.scope === 'fleet' && limit.fleet ? fleetShareWithDefaults(limit.fleet) : undefined;
  const perSecond = parseRate(limit.rate) ?? 1;
  const usual = fleet ? Math.max(1, Math.round(perSecond * fleetBurstSeconds)) : defaultBurst(perSecond);
  const burst = limit.burst ?? Math.max(costMax, usual);
  return {
    name: limit.name,
    scope: fleet ? 'fleet' : 'perProxy',
    rate: limit.rate,
    ...('tokenBucket' in algorithm && { burst }),
    algorithm,
    ...(limit.key && { key: limit.key, keysMax: limit.keysMax ?? defaultKeysMax }),
    cost,
    ...(fleet && { fleet }),
  };
}

function fleetShareWithDefaults(share: FleetShareSpec): EffectiveFleetShare {
  const allotment = share.allotment ?? 'leases';
  return {
    instancesMax: share.instancesMax,
    allotment,
    withoutControlPlane: share.withoutControlPlane ?? (allotment === 'chunks' ? 'closed' : 'safe'),
    safeFor: share.safeFor ?? '15m',
    reservePercent: share.reservePercent ?? 5,
  };
}

function algorithmWithDefaults(algorithm: RateAlgorithmSpec | undefined, rate: string): EffectiveAlgorithm {
  if (algorithm?.leakyBucket) return { leakyBucket: { ...defaultPacing, ...algorithm.leakyBucket } };
  const window = `1${rateUnit(rate)}`;
  if (algorithm?.fixedWindow) return { fixedWindow: { window, ...algorithm.fixedWindow } };
  if (algorithm?.slidingWindow) return { slidingWindow: { window, ...algorithm.slidingWindow } };
  return { tokenBucket: {} };
}

function costWithDefaults(cost: CostSpec | undefined): EffectiveCost {
  if (cost?.header) return { header: { ...cost.header, default: cost.header.default ?? 1 } };
  return { constant: cost?.constant ?? 1 };
}
