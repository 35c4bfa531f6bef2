/**
 * One token bucket per key (client, address, method, path), in a table that a stranger cannot make grow. Each key owns a
 * slot of a typed array that holds its theoretical arrival time (rate-limiter.ts), so a known key costs one map look-up.
 *
 * At the bound: a slot whose arrival time has passed is a full bucket, the same as no bucket at all, so it goes to the
 * newcomer and nothing is lost. A hand walks round the table looking for such slots, at most `sweepMax` per newcomer, so
 * that each request costs O(1). When it finds none, the newcomer shares one overflow bucket with the others like it.
 *
 * Bound: in any window of w seconds at most burst + w·rate requests of one key are admitted from its own slot, and at
 * most as many again from the overflow bucket, by all keys that use it together.
 */
import { fnv1a } from '../../proto/kernel/fnv.ts';
import { Cell, type RateLimiterOptions } from './rate-limiter.ts';

/** Slots looked at for one newcomer. */
const sweepMax = 16;
/** Longer keys are stored as their first 240 characters, their length and their FNV-1a hash. */
export const keyLengthMax = 256;
const keyPrefixLength = 240;
const initialSlots = 64;

export interface KeyedRateLimiterOptions extends RateLimiterOptions {
  readonly keysMax: number;
}

export class KeyedRateLimiter {
  private readonly cell: Cell;
  private readonly keysMax: number;
  private readonly slots = new Map<string, number>();
  private readonly keys: string[] = [];
  private tats: Float64Array;
  private hand = 0;
  private overflowTatMs = Number.NEGATIVE_INFINITY;
  /** Requests that had to share the overflow bucket. */
  overflows = 0;

  constructor(options: KeyedRateLimiterOptions) {
    this.cell = new Cell(options);
    this.keysMax = options.keysMax;
    this.tats = new Float64Array(Math.min(initialSlots, options.keysMax));
  }

  /** Keys remembered; never more than keysMax. */
  get size(): number {
    return this.keys.length;
  }

  /** 0 when admitted, else the milliseconds until a request of this key would be. */
  tryAcquire(key: string, nowMs: number): number {
    const stored = key.length <= keyLengthMax ? key : shorten(key);
    const slot = this.slots.get(stored) ?? this.claim(stored, nowMs);
    const tatMs = slot < 0 ? this.overflowTatMs : this.tats[slot]!;
    const nextMs = this.cell.nextTatMs(tatMs, nowMs);
    const excessMs = this.cell.excessMs(nextMs, nowMs);
    if (excessMs > 0) return excessMs;
    if (slot < 0) this.overflowTatMs = nextMs;
    else this.tats[slot] = nextMs;
    return 0;
  }

  /** A slot for a newcomer, or -1 when it has to share the overflow bucket. */
  private claim(key: string, nowMs: number): number {
    const slot = this.keys.length < this.keysMax ? this.append() : this.sweep(nowMs);
    if (slot < 0) {
      this.overflows++;
      return slot;
    }
    const owned = ownCopy(key);
    this.keys[slot] = owned;
    this.slots.set(owned, slot);
    this.tats[slot] = Number.NEGATIVE_INFINITY;
    return slot;
  }

  private append(): number {
    const slot = this.keys.length;
    if (slot === this.tats.length) {
      const grown = new Float64Array(Math.min(slot * 2, this.keysMax));
      grown.set(this.tats);
      this.tats = grown;
    }
    return slot;
  }

  private sweep(nowMs: number): number {
    const count = this.keys.length;
    for (let step = 0; step < sweepMax && step < count; step++) {
      const slot = this.hand;
      this.hand = slot + 1 < count ? slot + 1 : 0;
      if (this.tats[slot]! <= nowMs) {
        this.slots.delete(this.keys[slot]!);
        return slot;
      }
    }
    return -1;
  }
}

function shorten(key: string): string {
  return `${key.slice(0, keyPrefixLength)}#${key.length}#${fnv1a(key).toString(16)}`;
}

/**
 * A key cut out of a longer string (a path out of a path with a query) keeps the whole of it alive, and with 100,000
 * keys that is what a stranger could make grow. Header text is Latin-1; anything else is kept as it is.
 */
function ownCopy(key: string): string {
  const copy = Buffer.from(key, 'latin1').toString('latin1');
  return copy === key ? copy : key;
}
