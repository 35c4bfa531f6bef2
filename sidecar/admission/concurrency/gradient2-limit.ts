/**
 * Netflix's Gradient2Limit: the short-term latency against its own long-term average, so that it needs no smallest
 * latency and no probing.
 *
 *   every second with more than 10 samples: s = their mean
 *   l = average of s over the last 600 of them (exponential; the first 10 plain);  l / s > 2: l = 0.95 · l
 *   in flight < L / 2          nothing: the app is not busy
 *   gradient = clamp(tolerance · l / s, 0.5, 1)
 *   L = clamp((1 − smoothing) · L + smoothing · (gradient · L + queue), min, max)
 *
 * Its long-term average learns the queue that it lets grow: under a mild overload that lasts the limit ratchets up to
 * its maximum (minutes). Drops count for nothing, as in the original. Netflix's own min is 20, too many for a small app.
 */
import { type ConcurrencyLimit, type LimitRange, within } from './concurrency-limit.ts';
import { SampleWindow } from './sample-window.ts';

export interface Gradient2Settings extends LimitRange {
  /** How much slower than on average is still no sign of a queue; 1.5 = half as slow again. */
  readonly tolerance: number;
  /** Weight of the new limit beside the old, 0..1. */
  readonly smoothing: number;
  /** Requests that may wait in the app. */
  readonly queue: number;
}

const windowMs = 1000;
const samplesMin = 10;
const warmUpWindows = 10;
const longWindows = 600;

const estimate = 0;
const long = 1;
const longCount = 2;
const windowAt = 3;

export class Gradient2Limit implements ConcurrencyLimit {
  static readonly cells = windowAt + SampleWindow.cells;
  private readonly settings: Gradient2Settings;
  private readonly cells: Float64Array;
  private readonly window: SampleWindow;

  constructor(settings: Gradient2Settings, cells: Float64Array = new Float64Array(Gradient2Limit.cells)) {
    this.settings = settings;
    this.cells = cells;
    this.window = new SampleWindow(cells, windowAt);
  }

  /** Its long-term average is the nearest that it knows. */
  get baseRttMs(): number {
    return this.cells[long]!;
  }

  limit(): number {
    return Math.floor(this.cells[estimate]! || this.settings.initial);
  }

  onSample(nowMs: number, rttMs: number, inFlight: number, isDrop: boolean): void {
    const { window } = this;
    if (window.isEmpty) window.begin(nowMs);
    window.see(inFlight);
    if (isDrop) return;
    window.add(rttMs);
    if (nowMs - window.beganMs < windowMs || window.count <= samplesMin) return;
    this.update(window.meanMs, window.inFlightMax);
    window.begin(nowMs);
  }

  private update(shortMs: number, inFlight: number): void {
    const { cells, settings } = this;
    const longMs = this.averageWith(shortMs);
    if (longMs / shortMs > 2) cells[long] = longMs * 0.95;
    const limit = cells[estimate]! || settings.initial;
    if (inFlight < limit / 2) return;
    const gradient = Math.max(0.5, Math.min(1, (settings.tolerance * longMs) / shortMs));
    const wanted = limit * gradient + settings.queue;
    cells[estimate] = within(settings, limit * (1 - settings.smoothing) + wanted * settings.smoothing);
  }

  private averageWith(shortMs: number): number {
    const { cells } = this;
    if (cells[longCount]! < warmUpWindows) {
      cells[longCount]! += 1;
      cells[long]! += (shortMs - cells[long]!) / cells[longCount]!;
    } else cells[long]! += ((shortMs - cells[long]!) * 2) / (longWindows + 1);
    return cells[long]!;
  }
}
