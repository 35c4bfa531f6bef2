/**
 * Threads that share a limit each have a seat at it. A limit in one thread is the same with one seat. The main thread of
 * a proxy with workers oversees the limits and takes part in none: its seat is below all others.
 */
export interface Seat {
  /** 0 to count − 1; `overseer` for who only reconfigures and repairs. */
  readonly index: number;
  readonly count: number;
  /** Another seat was granted something and should look. It looks by itself every few milliseconds. */
  wake(index: number): void;
}

export const overseer = -1;

export const alone: Seat = { index: 0, count: 1, wake: () => {} };

/** What a seat's locks are held under. */
export function ownerOf(seat: Seat): number {
  return seat.index + 2;
}
