/**
 * One bucket per key for several threads: the promise of KeyedRateLimiter (keyed-rate-limiter.ts) in a table that threads
 * can share. Memory cannot hold strings, so a key stands in it as 64 bits of a keyed hash; a hash names one of many sets of
 * 16 slots, and the key is in its set or nowhere.
 *
 *   lock · keys · hand · overflows │ hash halves of every slot │ overflow bucket · the row of every slot
 *
 * At the bound (keysMax keys, or a full set): a slot whose row is idle is the same as no slot, and goes to the newcomer;
 * where there is none, the newcomer shares one overflow bucket. There are two slots for every key that may be, so that sets
 * fill up late.
 */
import { lockBytes, lockOf, type SharedLock } from '../../proto/kernel/shared-lock.ts';
import { KeyHash } from './key-hash.ts';
import type { Meter, MeterOptions } from './meter.ts';
import { meterOf } from './meter-of.ts';
import type { RateLimiter } from './rate-limiter.ts';

const ways = 16;
/** Slots looked at for one newcomer, beside those of its set. */
const sweepMax = 16;
const headerNumbers = 3;
const used = 0;
const hand = 1;
const overflowed = 2;
const headerBytes = lockBytes + 8 * headerNumbers;

export interface SharedKeys {
  readonly memory: ArrayBufferLike;
  readonly owner: number;
  /** Secret, and the same in all threads. */
  readonly seeds: readonly [number, number];
}

export class SharedKeyedRateLimiter implements RateLimiter {
  private readonly meter: Meter;
  private readonly keysMax: number;
  private readonly lock: SharedLock | null;
  private readonly hash: KeyHash;
  private readonly slots: number;
  private readonly setMask: number;
  private readonly header: Float64Array;
  /** Two words a slot; both 0: nobody's. */
  private readonly names: Int32Array;
  private readonly rows: Float64Array;
  private lastAt = 0;

  static bytesFor(options: MeterOptions, keysMax: number): number {
    const slots = slotsFor(keysMax);
    return headerBytes + slots * 8 + (slots + 1) * 8 * meterOf(options).numbers;
  }

  constructor(options: MeterOptions, keysMax: number, { memory, owner, seeds }: SharedKeys) {
    this.meter = meterOf(options);
    this.keysMax = keysMax;
    this.slots = slotsFor(keysMax);
    this.lock = lockOf(memory, owner);
    this.hash = new KeyHash(seeds[0], seeds[1]);
    this.setMask = this.slots / ways - 1;
    this.header = new Float64Array(memory, lockBytes, headerNumbers);
    this.names = new Int32Array(memory, headerBytes, this.slots * 2);
    this.rows = new Float64Array(memory, headerBytes + this.slots * 8, (this.slots + 1) * this.meter.numbers);
  }

  /** Keys remembered; never more than keysMax. */
  get size(): number {
    return this.header[used]!;
  }

  get overflows(): number {
    return this.header[overflowed]!;
  }

  tryAcquire(key: string, nowMs: number, cost = 1, patienceMs = Number.POSITIVE_INFINITY): number {
    const { hash } = this;
    hash.hash(key);
    // Zero is what an empty slot holds.
    const low = hash.low === 0 ? 1 : hash.low;
    if (this.lock !== null) this.lock.acquire();
    this.lastAt = this.rowOf(this.find(low, hash.high, nowMs));
    const answer = this.meter.take(this.rows, this.lastAt, cost, nowMs, patienceMs);
    if (this.lock !== null) this.lock.release();
    return answer;
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

  /** The key's slot, an old one or a new one; -1: the overflow bucket. */
  private find(low: number, high: number, nowMs: number): number {
    const { names } = this;
    const first = (high & this.setMask) * ways;
    let empty = -1;
    let passed = -1;
    for (let slot = first; slot < first + ways; slot++) {
      const name = names[slot * 2]!;
      if (name === low && names[slot * 2 + 1] === high) return slot;
      if (name === 0) empty = slot;
      else if (passed < 0 && this.meter.isIdle(this.rows, this.rowOf(slot), nowMs)) passed = slot;
    }
    if (empty >= 0 && (this.header[used]! < this.keysMax || this.sweep(nowMs))) {
      this.header[used]! += 1;
      return this.claim(empty, low, high);
    }
    if (passed >= 0) return this.claim(passed, low, high);
    this.header[overflowed]! += 1;
    return -1;
  }

  private claim(slot: number, low: number, high: number): number {
    this.names[slot * 2] = low;
    this.names[slot * 2 + 1] = high;
    const at = this.rowOf(slot);
    this.rows.fill(0, at, at + this.meter.numbers);
    return slot;
  }

  /** Forgets one key whose row is idle, if the hand meets one soon. */
  private sweep(nowMs: number): boolean {
    for (let step = 0; step < sweepMax; step++) {
      const slot = this.header[hand]!;
      this.header[hand] = slot + 1 < this.slots ? slot + 1 : 0;
      if (this.names[slot * 2] === 0 || !this.meter.isIdle(this.rows, this.rowOf(slot), nowMs)) continue;
      this.names[slot * 2] = 0;
      this.header[used]! -= 1;
      return true;
    }
    return false;
  }
}

/** A power of two of sets, with room for twice the keys. */
function slotsFor(keysMax: number): number {
  const sets = Math.ceil((2 * keysMax) / ways);
  return 2 ** Math.ceil(Math.log2(sets)) * ways;
}
