/** Rate limits from a spec to settings. */
import { assert } from '../../proto/kernel/assert.ts';
import type { EffectiveRateLimit } from '../../proto/policy/defaults-rate-limits.ts';
import type { KeySpec } from '../../proto/policy/schema-rate-limits.ts';
import type { RateLimitKey } from './compiled.ts';
import { perSecond } from './units.ts';

export interface RateLimitSettings {
  readonly name: string;
  readonly key: RateLimitKey;
  readonly ratePerSecond: number;
  readonly burst: number;
  /** 0 without a key. */
  readonly keysMax: number;
}

export function rateLimitSettings(limit: EffectiveRateLimit): RateLimitSettings {
  const ratePerSecond = perSecond(limit.rate);
  assert(ratePerSecond > 0, `not a rate: ${limit.rate}`);
  return {
    name: limit.name,
    key: keyOf(limit.key),
    ratePerSecond,
    burst: limit.burst,
    keysMax: limit.keysMax ?? 0,
  };
}

function keyOf(key: KeySpec | undefined): RateLimitKey {
  if (key?.header !== undefined) return { kind: 'header', header: key.header.toLowerCase() };
  if (key?.address) return { kind: 'address' };
  if (key?.method) return { kind: 'method' };
  if (key?.path) return { kind: 'path' };
  return { kind: 'none' };
}
