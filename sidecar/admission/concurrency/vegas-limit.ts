/**
 * TCP Vegas (Brakmo and Peterson, 1995) for requests, as in Netflix's VegasLimit: the queue in the app is guessed from
 * how much slower answers are than the fastest one seen.
 *
 *   rtt < base                 base = rtt
 *   queue = ⌈L · (1 − base / rtt)⌉,  u = max(1, log₁₀ L),  α = 3u,  β = 6u
 *   drop                       L = L − u
 *   2 · in flight < L          nothing: the app is not busy
 *   queue ≤ u                  L = L + β
 *   queue < α                  L = L + u
 *   queue > β                  L = L − u
 *   L = (1 − smoothing) · L + smoothing · clamp(L, min, max)
 *   every 30 · ¾ · L samples   base = rtt: else a service that became slower would never be believed
 *
 * Every sample counts for itself, and the base is a single one: with service times that scatter, the luckiest request
 * sets the standard, and the limit falls below the knee until the next probe, which may be an unlucky one. Netflix draws
 * the ¾ anew between ½ and 1 each time.
 */
import { type ConcurrencyLimit, type LimitRange, within } from './concurrency-limit.ts';

export interface VegasSettings extends LimitRange {
  /** Weight of the new limit beside the old, 0..1. */
  readonly smoothing: number;
}

const probeEveryLimits = 30 * 0.75;

const estimate = 0;
const base = 1;
const sinceProbe = 2;

export class VegasLimit implements ConcurrencyLimit {
  static readonly cells = 3;
  private readonly settings: VegasSettings;
  private readonly cells: Float64Array;

  constructor(settings: VegasSettings, cells: Float64Array = new Float64Array(VegasLimit.cells)) {
    this.settings = settings;
    this.cells = cells;
  }

  get baseRttMs(): number {
    return this.cells[base]!;
  }

  limit(): number {
    return Math.floor(this.cells[estimate]! || this.settings.initial);
  }

  onSample(_nowMs: number, rttMs: number, inFlight: number, isDrop: boolean): void {
    const { cells, settings } = this;
    const limit = cells[estimate]! || settings.initial;
    cells[sinceProbe]! += 1;
    if (!isDrop && (cells[sinceProbe]! >= probeEveryLimits * limit || cells[base] === 0 || rttMs < cells[base]!)) {
      if (cells[sinceProbe]! >= probeEveryLimits * limit) cells[sinceProbe] = 0;
      cells[base] = rttMs;
      return;
    }
    const wanted = within(settings, limit + this.step(limit, rttMs, inFlight, isDrop));
    cells[estimate] = (1 - settings.smoothing) * limit + settings.smoothing * wanted;
  }

  private step(limit: number, rttMs: number, inFlight: number, isDrop: boolean): number {
    const unit = Math.max(1, Math.log10(limit));
    if (isDrop) return -unit;
    if (inFlight * 2 < limit) return 0;
    const queue = Math.ceil(limit * (1 - this.cells[base]! / rttMs));
    if (queue <= unit) return 6 * unit;
    if (queue < 3 * unit) return unit;
    return queue > 6 * unit ? -unit : 0;
  }
}
