/**
 * The gradient controller of Envoy's adaptive concurrency filter (gradient_controller.cc), with its defaults: latency
 * now against the latency with next to nothing in flight, which it measures by letting next to nothing in.
 *
 *   at the start, every 60 s ± 15 %, and after 5 updates in a row at `min`:
 *       limit = min until 50 requests sent since then are back; minRtt = their median; the limit from before returns
 *   else every 100 ms with samples: s = their median
 *       gradient = clamp(minRtt · (1 + buffer) / s, 0.5, 2);  L = gradient · L;  L = clamp(L + √L, min, max)
 *
 * The measurement is its price: for as long as 50 requests take at `min` at once, everybody else is refused or waits.
 * Drops have no latency and count for nothing, as in the original. The jitter comes from the digits of the measured
 * latency.
 */
import { type ConcurrencyLimit, type LimitRange, within } from './concurrency-limit.ts';
import { LatencyBuckets } from './latency-buckets.ts';

export interface EnvoyGradientSettings extends LimitRange {
  /** How much slower than minRtt is still no sign of a queue, as a share of it; 0.25 = a quarter. */
  readonly buffer: number;
  /** Between two measurements of minRtt. */
  readonly minRttIntervalMs: number;
  /** How many requests one takes. */
  readonly minRttRequests: number;
}

const updateEveryMs = 100;
const jitterShare = 0.15;
const atMinMax = 5;
const quantile = 0.5;

const estimate = 0;
const minRtt = 1;
/** While minRtt is measured: since when; else 0. */
const measuringSince = 2;
const measureAgainAt = 3;
const updatedAt = 4;
const samples = 5;
const updatesAtMin = 6;
const bucketsAt = 7;

export class EnvoyGradientLimit implements ConcurrencyLimit {
  static readonly cells = bucketsAt + LatencyBuckets.cells;
  private readonly settings: EnvoyGradientSettings;
  private readonly cells: Float64Array;
  private readonly buckets: LatencyBuckets;

  constructor(settings: EnvoyGradientSettings, cells: Float64Array = new Float64Array(EnvoyGradientLimit.cells)) {
    this.settings = settings;
    this.cells = cells;
    this.buckets = new LatencyBuckets(cells, bucketsAt);
  }

  get baseRttMs(): number {
    return this.cells[minRtt]!;
  }

  limit(): number {
    const { cells, settings } = this;
    if (cells[measuringSince] !== 0 || cells[minRtt] === 0) return settings.min;
    return Math.floor(cells[estimate]! || settings.initial);
  }

  onSample(nowMs: number, rttMs: number, _inFlight: number, isDrop: boolean): void {
    const { cells } = this;
    if (isDrop) return;
    // Sent before the measurement began, it waited behind others.
    if (cells[measuringSince]! > 0 && nowMs - rttMs < cells[measuringSince]!) return;
    this.buckets.add(rttMs);
    cells[samples]! += 1;
    if (cells[measuringSince] !== 0 || cells[minRtt] === 0) this.measure(nowMs);
    else if (nowMs >= cells[measureAgainAt]!) this.beginMeasuring(nowMs);
    else if (nowMs - cells[updatedAt]! >= updateEveryMs) this.update(nowMs);
  }

  private beginMeasuring(nowMs: number): void {
    this.cells[measuringSince] = Math.max(nowMs, Number.MIN_VALUE);
    this.forget(nowMs);
  }

  private measure(nowMs: number): void {
    const { cells, settings } = this;
    if (cells[samples]! < settings.minRttRequests) return;
    const rttMs = this.buckets.quantileMs(quantile, cells[samples]!);
    cells[minRtt] = rttMs;
    cells[measuringSince] = 0;
    const dice = (rttMs * 1e6) % 1;
    cells[measureAgainAt] = nowMs + settings.minRttIntervalMs * (1 + jitterShare * dice);
    cells[updatesAtMin] = 0;
    this.forget(nowMs);
  }

  private update(nowMs: number): void {
    const { cells, settings } = this;
    const sampleMs = this.buckets.quantileMs(quantile, cells[samples]!);
    const gradient = Math.max(0.5, Math.min(2, (cells[minRtt]! * (1 + settings.buffer)) / sampleMs));
    const scaled = (cells[estimate]! || settings.initial) * gradient;
    const limit = within(settings, scaled + Math.sqrt(scaled));
    cells[estimate] = limit;
    cells[updatesAtMin] = Math.floor(limit) === settings.min ? cells[updatesAtMin]! + 1 : 0;
    this.forget(nowMs);
    if (cells[updatesAtMin]! >= atMinMax) this.beginMeasuring(nowMs);
  }

  private forget(nowMs: number): void {
    this.buckets.clear();
    this.cells[samples] = 0;
    this.cells[updatedAt] = nowMs;
  }
}
