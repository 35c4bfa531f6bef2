/**
 * How many requests wait at one rate limit for their turn, over all its keys and threads: what they hold in memory is
 * bounded by that, whatever waitMax says. Their order is the limiter's business (leaky-bucket.ts), so this only counts.
 * Each seat's own share stands beside the sum, for when its thread dies.
 */
import type { Seat } from './seat.ts';

export class WaitingLine {
  private readonly max: number;
  private readonly seat: number;
  private readonly counts: Int32Array;

  static bytesFor(seats: number): number {
    return 4 * (1 + seats);
  }

  /** `memory` zeroed, or that of the threads with whom the line is shared. */
  constructor(max: number, seat: Seat, memory: ArrayBufferLike, offset = 0) {
    this.max = max;
    this.seat = seat.index;
    this.counts = new Int32Array(memory, offset, 1 + seat.count);
  }

  /** Who waits now, in all threads. */
  get size(): number {
    return Atomics.load(this.counts, 0);
  }

  /** False at the bound. Two threads that meet there may both be told so, never both let in. */
  tryEnter(): boolean {
    if (Atomics.add(this.counts, 0, 1) >= this.max) {
      Atomics.sub(this.counts, 0, 1);
      return false;
    }
    Atomics.add(this.counts, 1 + this.seat, 1);
    return true;
  }

  leave(): void {
    Atomics.sub(this.counts, 1 + this.seat, 1);
    Atomics.sub(this.counts, 0, 1);
  }

  /** The thread at that seat is dead, and those who waited there are gone. */
  abandon(seat: number): void {
    Atomics.sub(this.counts, 0, Atomics.exchange(this.counts, 1 + seat, 0));
  }
}
