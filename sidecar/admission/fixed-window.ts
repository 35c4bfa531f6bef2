/**
 * A fixed window: so much per second, minute or hour of the proxy's own clock, counted anew in each. Simple to explain, and
 * it lets a caller spend its share when it likes; but at the edge of two windows it spends two shares at once. Choose it
 * where that does not matter, such as quotas per hour; else the sliding window or the token bucket.
 *
 * Bound: admits at most limit·(⌈w/W⌉ + 1) in any window of w, counted in cost: twice the limit around an edge.
 */
import type { Meter } from './meter.ts';
import { roundingMaxMs } from './rounding.ts';

export interface WindowOptions {
  readonly limit: number;
  readonly windowMs: number;
}

/** In a row: which window it is, counted from zero, and what was used of it. */
const index = 0;
const used = 1;

export class FixedWindow implements Meter {
  readonly numbers = 2;
  private readonly limit: number;
  private readonly windowMs: number;

  constructor({ limit, windowMs }: WindowOptions) {
    this.limit = limit;
    this.windowMs = windowMs;
  }

  take(row: Float64Array, at: number, cost: number, nowMs: number, _patienceMs: number): number {
    const stored = row[at + index]!;
    const current = Math.max(stored, this.indexAt(nowMs));
    const sum = (current > stored ? 0 : row[at + used]!) + cost;
    if (sum > this.limit) return cost > this.limit ? Number.POSITIVE_INFINITY : (current + 1) * this.windowMs - nowMs;
    row[at + index] = current;
    row[at + used] = sum;
    return 0;
  }

  isIdle(row: Float64Array, at: number, nowMs: number): boolean {
    return row[at + used] === 0 || row[at + index]! < this.indexAt(nowMs);
  }

  remaining(row: Float64Array, at: number, nowMs: number): number {
    return this.isIdle(row, at, nowMs) ? this.limit : this.limit - row[at + used]!;
  }

  /** Until the window ends. */
  steadyMs(row: Float64Array, at: number, nowMs: number): number {
    return Math.max(0, (Math.max(row[at + index]!, this.indexAt(nowMs)) + 1) * this.windowMs - nowMs);
  }

  /** Windows begin a microsecond early, so that who comes exactly when it was told to is inside the next one. */
  private indexAt(nowMs: number): number {
    return Math.floor((nowMs + roundingMaxMs) / this.windowMs);
  }
}
