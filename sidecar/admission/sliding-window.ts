/**
 * A sliding-window counter: what was admitted in the current window of the clock, and of the window before it the share
 * that still overlaps the last W, as if it had come evenly: prev·(W − e)/W + cur. Two counters say nearly what a log of
 * every request would, and there is no double share at once at the edge of two windows.
 *
 * Bound: admits at most limit·(1 + w/W) in any window of w, counted in cost, up to a hundredth of a request: the limit at
 * once, and never two limits within W.
 */
import type { WindowOptions } from './fixed-window.ts';
import type { Meter } from './meter.ts';
import { roundingMaxMs } from './rounding.ts';

/** In a row: which window it is, counted from zero, what was used of it and of the one before. */
const index = 0;
const used = 1;
const usedBefore = 2;

/** Sums of products are a little off; costs are whole. */
const rounding = 1e-6;

export class SlidingWindow implements Meter {
  readonly numbers = 3;
  private readonly limit: number;
  private readonly windowMs: number;

  constructor({ limit, windowMs }: WindowOptions) {
    this.limit = limit;
    this.windowMs = windowMs;
  }

  take(row: Float64Array, at: number, cost: number, nowMs: number, _patienceMs: number): number {
    const { limit, windowMs } = this;
    const current = Math.max(row[at + index]!, Math.floor(nowMs / windowMs));
    const now = usedIn(row, at, current);
    const before = usedIn(row, at, current - 1);
    const elapsedMs = Math.max(0, nowMs - current * windowMs);
    if ((before * (windowMs - elapsedMs)) / windowMs + now + cost <= limit + rounding) {
      row[at + index] = current;
      row[at + used] = now + cost;
      row[at + usedBefore] = before;
      return 0;
    }
    if (cost > limit) return Number.POSITIVE_INFINITY;
    return current * windowMs - nowMs + this.roomAtMs(now, before, cost) + roundingMaxMs;
  }

  isIdle(row: Float64Array, at: number, nowMs: number): boolean {
    const current = Math.floor(nowMs / this.windowMs);
    return usedIn(row, at, current) === 0 && usedIn(row, at, current - 1) === 0 && row[at + index]! <= current;
  }

  remaining(row: Float64Array, at: number, nowMs: number): number {
    const { windowMs } = this;
    const current = Math.max(row[at + index]!, Math.floor(nowMs / windowMs));
    const share = (windowMs - Math.max(0, nowMs - current * windowMs)) / windowMs;
    const counted = usedIn(row, at, current - 1) * share + usedIn(row, at, current);
    return Math.max(0, Math.floor(this.limit - counted + rounding));
  }

  /** Until the window ends; what came before it only loses weight meanwhile. */
  steadyMs(row: Float64Array, at: number, nowMs: number): number {
    const current = Math.max(row[at + index]!, Math.floor(nowMs / this.windowMs));
    return Math.max(0, (current + 1) * this.windowMs - nowMs);
  }

  /** When there is room for the cost if nothing else comes, from the beginning of the current window. */
  private roomAtMs(now: number, before: number, cost: number): number {
    const { limit, windowMs } = this;
    if (now + cost <= limit) return windowMs * (1 - (limit - cost - now) / before);
    return windowMs + Math.max(0, windowMs * (1 - (limit - cost) / now));
  }
}

/** What was used in a window: the row knows two of them. */
function usedIn(row: Float64Array, at: number, window: number): number {
  const stored = row[at + index]!;
  if (window === stored) return row[at + used]!;
  return window === stored - 1 ? row[at + usedBefore]! : 0;
}
