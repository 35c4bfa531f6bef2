/**
 * The first-in-first-out list behind a concurrency limit: a doubly linked list over typed arrays, so that entering,
 * leaving at either end and cancelling in the middle are all O(1) and allocate nothing once the arrays have grown. The
 * waiter remembers its slot, which spares a map from waiters to places.
 */
import { assert } from '../../proto/kernel/assert.ts';

export interface Waiter {
  /** What it holds in memory while it waits. Must not change meanwhile. */
  readonly bytes: number;
  /** Belongs to the queue. Make it with -1; it is -1 again whenever the waiter does not wait. */
  queueSlot: number;
  /** The permit is the waiter's now: it owes one leave(). */
  onAdmitted(nowMs: number): void;
  /** It waits no longer and has no permit. `reason` is a Reason code. */
  onRefused(reason: number, nowMs: number): void;
}

const none = -1;
const initialSlots = 16;

export class WaitQueue {
  private waiters: (Waiter | null)[] = new Array<Waiter | null>(initialSlots).fill(null);
  private enteredMs = new Float64Array(initialSlots);
  private next = new Int32Array(initialSlots);
  private prev = new Int32Array(initialSlots);
  private first = none;
  private last = none;
  /** Slots given back form a list through `next`; slots from `used` on were never given out. */
  private free = none;
  private used = 0;
  private count = 0;
  private bytesHeld = 0;

  get size(): number {
    return this.count;
  }

  get bytes(): number {
    return this.bytesHeld;
  }

  /** When the oldest entered; Infinity when nobody waits. */
  oldestEnteredMs(): number {
    return this.first === none ? Number.POSITIVE_INFINITY : this.enteredMs[this.first]!;
  }

  push(waiter: Waiter, nowMs: number): void {
    assert(waiter.queueSlot === none, 'a waiter waits in one queue at a time');
    const slot = this.takeSlot();
    this.waiters[slot] = waiter;
    this.enteredMs[slot] = nowMs;
    this.next[slot] = none;
    this.prev[slot] = this.last;
    if (this.last === none) this.first = slot;
    else this.next[this.last] = slot;
    this.last = slot;
    waiter.queueSlot = slot;
    this.count++;
    this.bytesHeld += waiter.bytes;
  }

  /** Takes the one that has waited longest. */
  takeOldest(): Waiter | null {
    return this.first === none ? null : this.take(this.first);
  }

  /** Takes the one that came last. */
  takeNewest(): Waiter | null {
    return this.last === none ? null : this.take(this.last);
  }

  /** False when it does not wait here. */
  remove(waiter: Waiter): boolean {
    const slot = waiter.queueSlot;
    if (slot < 0 || slot >= this.used || this.waiters[slot] !== waiter) return false;
    this.take(slot);
    return true;
  }

  private take(slot: number): Waiter {
    const waiter = this.waiters[slot]!;
    const before = this.prev[slot]!;
    const after = this.next[slot]!;
    if (before === none) this.first = after;
    else this.next[before] = after;
    if (after === none) this.last = before;
    else this.prev[after] = before;
    this.waiters[slot] = null;
    this.next[slot] = this.free;
    this.free = slot;
    waiter.queueSlot = none;
    this.count--;
    this.bytesHeld -= waiter.bytes;
    return waiter;
  }

  private takeSlot(): number {
    const slot = this.free;
    if (slot !== none) {
      this.free = this.next[slot]!;
      return slot;
    }
    if (this.used === this.enteredMs.length) this.grow();
    return this.used++;
  }

  /** The owner bounds the number of waiters, and with it this. */
  private grow(): void {
    const length = this.used * 2;
    const enteredMs = new Float64Array(length);
    const next = new Int32Array(length);
    const prev = new Int32Array(length);
    enteredMs.set(this.enteredMs);
    next.set(this.next);
    prev.set(this.prev);
    this.enteredMs = enteredMs;
    this.next = next;
    this.prev = prev;
    for (let slot = this.used; slot < length; slot++) this.waiters.push(null);
  }
}
