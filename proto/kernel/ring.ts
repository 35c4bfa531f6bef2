/**
 * A first-in-first-out queue of fixed capacity over one array. Unlike an array with shift(), taking from the front never
 * moves what is behind it, and unlike a growing queue it says no when it is full.
 */
import { assert } from './assert.ts';

export class Ring<T> {
  readonly capacity: number;
  private readonly items: (T | undefined)[];
  private head = 0;
  private count = 0;

  constructor(capacity: number) {
    assert(Number.isInteger(capacity) && capacity > 0, `a ring needs a capacity, not ${capacity}`);
    this.capacity = capacity;
    this.items = new Array<T | undefined>(capacity).fill(undefined);
  }

  get size(): number {
    return this.count;
  }

  isFull(): boolean {
    return this.count === this.capacity;
  }

  /** False, and nothing done, when the ring is full. */
  push(item: T): boolean {
    if (this.count === this.capacity) return false;
    this.items[this.wrap(this.head + this.count)] = item;
    this.count++;
    return true;
  }

  /** Takes the oldest. */
  shift(): T | undefined {
    if (this.count === 0) return undefined;
    const item = this.items[this.head];
    // A reference left behind would keep its object alive until the ring comes round again.
    this.items[this.head] = undefined;
    this.head = this.wrap(this.head + 1);
    this.count--;
    return item;
  }

  /** The item `index` places behind the oldest, left where it is. */
  at(index: number): T | undefined {
    return index >= 0 && index < this.count ? this.items[this.wrap(this.head + index)] : undefined;
  }

  clear(): void {
    this.items.fill(undefined);
    this.head = 0;
    this.count = 0;
  }

  private wrap(index: number): number {
    return index < this.capacity ? index : index - this.capacity;
  }
}
