/** Rate limits from a spec to settings. */
import { assert } from '../../proto/kernel/assert.ts';
import type { EffectiveCost, EffectiveRateLimit } from '../../proto/policy/defaults-rate-limits.ts';
import { type FleetLimit, fleetLimitOf } from '../../proto/policy/fleet-limits.ts';
import type { KeySpec } from '../../proto/policy/schema-rate-limits.ts';
import type { MeterOptions } from '../admission/meter.ts';
import type { RateLimitCost, RateLimitKey } from './compiled.ts';
import { milliseconds, perSecond } from './units.ts';

export interface RateLimitSettings {
  readonly name: string;
  readonly key: RateLimitKey;
  /** Of a limit of the fleet: what callers are told of it. */
  readonly meter: MeterOptions;
  /** null: this proxy counts alone. */
  readonly fleet: FleetLimit | null;
  /** 0 without a key. */
  readonly keysMax: number;
  /** Requests that may wait for their turn; 0 = nobody waits. */
  readonly waitingMax: number;
  readonly cost: RateLimitCost;
}

export function rateLimitSettings(limit: EffectiveRateLimit): RateLimitSettings {
  const fleet = fleetLimitOf(limit);
  return {
    name: limit.name,
    key: keyOf(limit.key),
    meter: fleet === null ? meterOptions(limit) : perSecondOf(fleet),
    fleet,
    keysMax: limit.keysMax ?? 0,
    waitingMax: 'leakyBucket' in limit.algorithm ? limit.algorithm.leakyBucket.requestsMax : 0,
    cost: costOf(limit.cost),
  };
}

function meterOptions({ rate, burst, algorithm }: EffectiveRateLimit): MeterOptions {
  const ratePerSecond = perSecond(rate);
  assert(ratePerSecond > 0, `not a rate: ${rate}`);
  if ('leakyBucket' in algorithm) {
    return { kind: 'leakyBucket', ratePerSecond, waitMaxMs: milliseconds(algorithm.leakyBucket.waitMax) };
  }
  if ('fixedWindow' in algorithm) return windowOptions('fixedWindow', ratePerSecond, algorithm.fixedWindow.window);
  if ('slidingWindow' in algorithm)
    return windowOptions('slidingWindow', ratePerSecond, algorithm.slidingWindow.window);
  return { kind: 'tokenBucket', ratePerSecond, burst: burst ?? 1 };
}

/** What the whole fleet admits in a second. */
function perSecondOf({ rate, burst }: FleetLimit): MeterOptions {
  return { kind: 'tokenBucket', ratePerSecond: rate, burst: Math.max(burst, Math.floor(rate)) };
}

/** A rate such as 100/m is not exact per second, but rate × window is a whole number. */
function windowOptions(kind: 'fixedWindow' | 'slidingWindow', ratePerSecond: number, window: string): MeterOptions {
  const windowMs = milliseconds(window);
  return { kind, limit: Math.max(1, Math.round((ratePerSecond * windowMs) / 1000)), windowMs };
}

function keyOf(key: KeySpec | undefined): RateLimitKey {
  if (key?.header !== undefined) return { kind: 'header', header: key.header.toLowerCase() };
  if (key?.identity) return { kind: 'identity' };
  if (key?.address) return { kind: 'address' };
  if (key?.method) return { kind: 'method' };
  if (key?.path) return { kind: 'path' };
  return { kind: 'none' };
}

function costOf(cost: EffectiveCost): RateLimitCost {
  if ('constant' in cost) return { usual: cost.constant, header: '', max: cost.constant };
  const { name, max, default: usual } = cost.header;
  return { usual, header: name.toLowerCase(), max };
}
