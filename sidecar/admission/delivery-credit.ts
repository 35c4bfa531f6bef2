/**
 * How many requests the app still wants: the `request(n)` of Reactive Streams, for a service as a whole. Every permit of
 * every limit of the service takes one from here first, so that after "n more" never more than n are delivered, whatever
 * the limits say and however many threads deliver. What was taken and not delivered (the caller went away before) comes
 * back.
 *
 *   open ──pause, more──▶ counted: remaining ≥ 0, 0 = paused ──open──▶ open
 */

const remainingAt = 0;
const open = -1;

/** Asking for more than this is asking for this: no app has as many requests open. */
export const deliveryCreditMax = 0x3fffffff;

export class DeliveryCredit {
  static readonly bytes = 4;
  private readonly cells: Int32Array;

  /** With the `memory` of another thread's, it is the same credit. New memory, zeroed, must be opened first. */
  constructor(memory?: ArrayBufferLike) {
    this.cells = new Int32Array(memory ?? new ArrayBuffer(DeliveryCredit.bytes));
    if (memory === undefined) this.open();
  }

  get isOpen(): boolean {
    return Atomics.load(this.cells, remainingAt) === open;
  }

  /** Infinity while open. */
  get remaining(): number {
    const left = Atomics.load(this.cells, remainingAt);
    return left === open ? Number.POSITIVE_INFINITY : left;
  }

  open(): void {
    Atomics.store(this.cells, remainingAt, open);
  }

  pause(): void {
    Atomics.store(this.cells, remainingAt, 0);
  }

  /** In addition to what is left. */
  add(count: number): void {
    for (;;) {
      const left = Atomics.load(this.cells, remainingAt);
      const sum = Math.min(deliveryCreditMax, Math.max(0, left) + count);
      if (Atomics.compareExchange(this.cells, remainingAt, left, sum) === left) return;
    }
  }

  /** One for a request that is about to be delivered; false when none is left. */
  tryTake(): boolean {
    for (;;) {
      const left = Atomics.load(this.cells, remainingAt);
      if (left === open) return true;
      if (left === 0) return false;
      if (Atomics.compareExchange(this.cells, remainingAt, left, left - 1) === left) return true;
    }
  }

  /** It was not delivered. Paused meanwhile, it stays paused: then nobody counts on it any more. */
  giveBack(): void {
    for (;;) {
      const left = Atomics.load(this.cells, remainingAt);
      if (left === open || left >= deliveryCreditMax) return;
      if (Atomics.compareExchange(this.cells, remainingAt, left, left + 1) === left) return;
    }
  }
}
