/** Rate limits with nothing left open. */
import { defaultBurst, parseRate } from './rate.ts';
import type { KeySpec, RateLimitSpec } from './schema-rate-limits.ts';

export const defaultKeysMax = 10_000;

export interface EffectiveRateLimit {
  name: string;
  scope: 'perProxy';
  rate: string;
  burst: number;
  key?: KeySpec;
  keysMax?: number;
}

export function rateLimitWithDefaults(limit: RateLimitSpec): EffectiveRateLimit {
  return {
    name: limit.name,
    scope: 'perProxy',
    rate: limit.rate,
    burst: limit.burst ?? defaultBurst(parseRate(limit.rate) ?? 1),
    ...(limit.key && { key: limit.key, keysMax: limit.keysMax ?? defaultKeysMax }),
  };
}
