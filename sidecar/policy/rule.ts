/**
 * A rate limit of a policy with its buckets: one for all requests, or one for each key. One shape for all kinds, so that
 * the hot path sees one kind of object.
 */
import { KeyedRateLimiter } from '../admission/keyed-rate-limiter.ts';
import { GcraLimiter } from '../admission/rate-limiter.ts';
import { ownerOf } from '../admission/seat.ts';
import { SharedKeyedRateLimiter } from '../admission/shared-keyed-rate-limiter.ts';
import type { RateLimitSettings } from './compile-rate-limits.ts';
import type { RateLimitKey, RateLimitRule } from './compiled.ts';
import { notShared, type Sharing } from './sharing.ts';

export class Rule implements RateLimitRule {
  readonly name: string;
  readonly key: RateLimitKey;
  readonly settings: RateLimitSettings;
  /** null: the buckets are this thread's own. */
  readonly memory: SharedArrayBuffer | null;
  private readonly one: GcraLimiter;
  private readonly keyed: KeyedRateLimiter | SharedKeyedRateLimiter | null;

  constructor(settings: RateLimitSettings, memory: SharedArrayBuffer | null = null, sharing: Sharing = notShared) {
    this.name = settings.name;
    this.key = settings.key;
    this.settings = settings;
    this.memory = memory;
    const owner = ownerOf(sharing.seat);
    const isKeyed = settings.key.kind !== 'none';
    this.one = new GcraLimiter(settings, isKeyed ? undefined : (memory ?? undefined), owner);
    if (!isKeyed) this.keyed = null;
    else if (memory === null) this.keyed = new KeyedRateLimiter(settings);
    else this.keyed = new SharedKeyedRateLimiter(settings, { memory, owner, seeds: sharing.keySeeds });
  }

  tryAcquire(key: string, nowMs: number): number {
    return this.keyed === null ? this.one.tryAcquire(nowMs) : this.keyed.tryAcquire(key, nowMs);
  }
}
