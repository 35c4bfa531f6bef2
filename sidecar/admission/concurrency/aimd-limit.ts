/**
 * Additive increase, multiplicative decrease: the rule of TCP's congestion control, as in Netflix's AIMDLimit.
 *
 *   drop, or rtt > timeout     L = backoff · L
 *   2 · in flight ≥ L          L = L + 1              else nothing: an app that is not busy proves nothing
 *   L = clamp(L, min, max)
 *
 * It sees overload only when requests are lost: between two drops a queue grows in the app unseen, so the limit saws
 * around what the slowest tolerated answer allows, not around the knee.
 */
import { type ConcurrencyLimit, type LimitRange, within } from './concurrency-limit.ts';

export interface AimdSettings extends LimitRange {
  /** Of the limit that stays after a drop, 0..1. */
  readonly backoff: number;
  /** An answer that took longer counts as a drop. */
  readonly timeoutMs: number;
}

const estimate = 0;

export class AimdLimit implements ConcurrencyLimit {
  static readonly cells = 1;
  readonly baseRttMs = 0;
  private readonly settings: AimdSettings;
  private readonly cells: Float64Array;

  constructor(settings: AimdSettings, cells: Float64Array = new Float64Array(AimdLimit.cells)) {
    this.settings = settings;
    this.cells = cells;
  }

  limit(): number {
    return Math.floor(this.cells[estimate]! || this.settings.initial);
  }

  onSample(_nowMs: number, rttMs: number, inFlight: number, isDrop: boolean): void {
    const { settings, cells } = this;
    const limit = cells[estimate]! || settings.initial;
    if (isDrop || rttMs > settings.timeoutMs) cells[estimate] = within(settings, Math.floor(limit * settings.backoff));
    else if (inFlight * 2 >= limit) cells[estimate] = within(settings, limit + 1);
  }
}
