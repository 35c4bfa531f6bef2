/**
 * Long streams beside the concurrency limit. A stream whose answer has begun works little and stays long: were it to
 * keep its permit, as many streams as the limit would shut everybody else out. So it gives the permit back for one of
 * these, up to a bound of their own; who finds none keeps the permit. Exact across threads: one total, changed by
 * atomic addition, and what each thread holds of it, so that a dead thread's can be taken off.
 */
import type { Seat } from './seat.ts';

const total = 0;
const held = 1;

export class StreamSeats {
  private readonly cells: Int32Array;
  private readonly own: number;

  static bytesFor(seats: number): number {
    return 4 * (held + seats);
  }

  constructor(seat: Seat, memory: ArrayBufferLike, offset: number) {
    this.cells = new Int32Array(memory, offset, held + seat.count);
    this.own = held + Math.max(0, seat.index);
  }

  get taken(): number {
    return Atomics.load(this.cells, total);
  }

  /** False when all are taken. */
  take(max: number): boolean {
    if (Atomics.add(this.cells, total, 1) >= max) {
      Atomics.sub(this.cells, total, 1);
      return false;
    }
    Atomics.add(this.cells, this.own, 1);
    return true;
  }

  giveBack(): void {
    Atomics.sub(this.cells, this.own, 1);
    Atomics.sub(this.cells, total, 1);
  }

  /** The thread at that seat is dead. */
  abandon(index: number): void {
    Atomics.sub(this.cells, total, Atomics.exchange(this.cells, held + index, 0));
  }
}
