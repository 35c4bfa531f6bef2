/**
 * One token bucket per key for several threads: the promise of KeyedRateLimiter (keyed-rate-limiter.ts) in a table that
 * threads can share. Memory cannot hold strings, so a key stands in it as 64 bits of a keyed hash; a hash names one of
 * many sets of 16 slots, and the key is in its set or nowhere.
 *
 *   lock · overflow time · keys · hand · overflows │ hash halves of every slot │ arrival time of every slot
 *
 * At the bound (keysMax keys, or a full set): the slot of a key whose arrival time has passed is a full bucket, the same
 * as no bucket, and goes to the newcomer; where there is none, the newcomer shares one overflow bucket. There are two
 * slots for every key that may be, so that sets fill up late.
 */
import { lockBytes, lockOf, type SharedLock } from '../../proto/kernel/shared-lock.ts';
import { KeyHash } from './key-hash.ts';
import type { KeyedRateLimiterOptions } from './keyed-rate-limiter.ts';
import { Cell } from './rate-limiter.ts';

const ways = 16;
/** Slots looked at for one newcomer, beside those of its set. */
const sweepMax = 16;
const headerNumbers = 4;
const overflowTat = 0;
const used = 1;
const hand = 2;
const overflowed = 3;
const headerBytes = lockBytes + 8 * headerNumbers;

export interface SharedKeys {
  readonly memory: ArrayBufferLike;
  readonly owner: number;
  /** Secret, and the same in all threads. */
  readonly seeds: readonly [number, number];
}

export class SharedKeyedRateLimiter {
  private readonly cell: Cell;
  private readonly keysMax: number;
  private readonly lock: SharedLock | null;
  private readonly hash: KeyHash;
  private readonly setMask: number;
  private readonly header: Float64Array;
  /** Two words a slot; both 0: nobody's. */
  private readonly names: Int32Array;
  private readonly tats: Float64Array;

  static bytesFor(keysMax: number): number {
    return headerBytes + slotsFor(keysMax) * 16;
  }

  constructor(options: KeyedRateLimiterOptions, { memory, owner, seeds }: SharedKeys) {
    const slots = slotsFor(options.keysMax);
    this.cell = new Cell(options);
    this.keysMax = options.keysMax;
    this.lock = lockOf(memory, owner);
    this.hash = new KeyHash(seeds[0], seeds[1]);
    this.setMask = slots / ways - 1;
    this.header = new Float64Array(memory, lockBytes, headerNumbers);
    this.names = new Int32Array(memory, headerBytes, slots * 2);
    this.tats = new Float64Array(memory, headerBytes + slots * 8, slots);
  }

  /** Keys remembered; never more than keysMax. */
  get size(): number {
    return this.header[used]!;
  }

  /** Requests that had to share the overflow bucket. */
  get overflows(): number {
    return this.header[overflowed]!;
  }

  /** 0 when admitted, else the milliseconds until a request of this key would be. */
  tryAcquire(key: string, nowMs: number): number {
    const { hash, cell } = this;
    hash.hash(key);
    // Zero is what an empty slot holds.
    const low = hash.low === 0 ? 1 : hash.low;
    if (this.lock !== null) this.lock.acquire();
    const slot = this.find(low, hash.high, nowMs);
    const tatMs = slot < 0 ? this.header[overflowTat]! : this.tats[slot]!;
    const nextMs = cell.nextTatMs(tatMs, nowMs);
    const excessMs = cell.excessMs(nextMs, nowMs);
    if (excessMs === 0) {
      if (slot < 0) this.header[overflowTat] = nextMs;
      else this.tats[slot] = nextMs;
    }
    if (this.lock !== null) this.lock.release();
    return excessMs;
  }

  /** The key's slot, an old one or a new one; -1: the overflow bucket. */
  private find(low: number, high: number, nowMs: number): number {
    const { names, tats } = this;
    const first = (high & this.setMask) * ways;
    let empty = -1;
    let passed = -1;
    for (let slot = first; slot < first + ways; slot++) {
      const name = names[slot * 2]!;
      if (name === low && names[slot * 2 + 1] === high) return slot;
      if (name === 0) empty = slot;
      else if (tats[slot]! <= nowMs) passed = slot;
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
    this.tats[slot] = 0;
    return slot;
  }

  /** Forgets one key whose bucket is full, if the hand meets one soon. */
  private sweep(nowMs: number): boolean {
    const slots = this.tats.length;
    for (let step = 0; step < sweepMax; step++) {
      const slot = this.header[hand]!;
      this.header[hand] = slot + 1 < slots ? slot + 1 : 0;
      if (this.names[slot * 2] === 0 || this.tats[slot]! > nowMs) continue;
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
