/**
 * One bucket per key (client, identity, address, method, path), in a table that a stranger cannot make grow. Each key owns
 * a row of a typed array for its meter's numbers (meter.ts), so a known key costs one map look-up.
 *
 * At the bound: a row that its meter calls idle is the same as no row at all, so it goes to the newcomer and nothing is
 * lost. A hand walks round the table looking for such rows, at most `sweepMax` per newcomer, so that each request costs
 * O(1). When it finds none, the newcomer shares one overflow bucket with the others like it. A key that is being limited is
 * never forgotten, however many keys a stranger makes up: nobody gets a fresh bucket by flooding the table.
 *
 * Bound: what the meter promises, for each key from its own row, and once more for the overflow bucket, by all keys that
 * use it together.
 */
import { fnv1a } from '../../proto/kernel/fnv.ts';
import type { Meter, MeterOptions } from './meter.ts';
import { meterOf } from './meter-of.ts';
import type { RateLimiter } from './rate-limiter.ts';

/** Rows looked at for one newcomer. */
const sweepMax = 16;
/** Longer keys are stored as their first 240 characters, their length and their FNV-1a hash. */
export const keyLengthMax = 256;
const keyPrefixLength = 240;
const initialSlots = 64;

export class KeyedRateLimiter implements RateLimiter {
  private readonly meter: Meter;
  private readonly keysMax: number;
  private readonly slots = new Map<string, number>();
  private readonly keys: string[] = [];
  /** The overflow bucket first, then one row a slot. */
  private rows: Float64Array;
  private hand = 0;
  private lastAt = 0;
  overflows = 0;

  constructor(options: MeterOptions, keysMax: number) {
    this.meter = meterOf(options);
    this.keysMax = keysMax;
    this.rows = new Float64Array((1 + Math.min(initialSlots, keysMax)) * this.meter.numbers);
  }

  /** Keys remembered; never more than keysMax. */
  get size(): number {
    return this.keys.length;
  }

  tryAcquire(key: string, nowMs: number, cost = 1, patienceMs = Number.POSITIVE_INFINITY): number {
    const stored = key.length <= keyLengthMax ? key : shorten(key);
    const slot = this.slots.get(stored) ?? this.claim(stored, nowMs);
    this.lastAt = this.rowOf(slot);
    return this.meter.take(this.rows, this.lastAt, cost, nowMs, patienceMs);
  }

  remaining(nowMs: number): number {
    return this.meter.remaining(this.rows, this.lastAt, nowMs);
  }

  steadyMs(nowMs: number): number {
    return this.meter.steadyMs(this.rows, this.lastAt, nowMs);
  }

  /** Where a slot's numbers begin; slot −1 is the overflow bucket. */
  private rowOf(slot: number): number {
    return (slot + 1) * this.meter.numbers;
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
    const at = this.rowOf(slot);
    this.rows.fill(0, at, at + this.meter.numbers);
    return slot;
  }

  private append(): number {
    const slot = this.keys.length;
    if (this.rowOf(slot) === this.rows.length) {
      const grown = new Float64Array((1 + Math.min(slot * 2, this.keysMax)) * this.meter.numbers);
      grown.set(this.rows);
      this.rows = grown;
    }
    return slot;
  }

  private sweep(nowMs: number): number {
    const count = this.keys.length;
    for (let step = 0; step < sweepMax && step < count; step++) {
      const slot = this.hand;
      this.hand = slot + 1 < count ? slot + 1 : 0;
      if (this.meter.isIdle(this.rows, this.rowOf(slot), nowMs)) {
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
