/**
 * Good and bad calls over a sliding window of time, in ten sub-windows: the oldest tenth is forgotten at once, so the
 * window is never shorter than nine tenths of its length, and the memory is twenty numbers whatever the traffic.
 */
const buckets = 10;

export class RollingCounts {
  total = 0;
  bad = 0;
  private readonly windowMs: number;
  private readonly bucketMs: number;
  private readonly totals = new Float64Array(buckets);
  private readonly bads = new Float64Array(buckets);
  /** The running number of the newest bucket since the clock's zero. */
  private newest = Number.NEGATIVE_INFINITY;

  constructor(windowMs: number) {
    this.windowMs = windowMs;
    this.bucketMs = windowMs / buckets;
  }

  record(isBad: boolean, nowMs: number): void {
    this.advance(nowMs);
    const bucket = this.newest % buckets;
    this.totals[bucket]! += 1;
    this.total++;
    if (!isBad) return;
    this.bads[bucket]! += 1;
    this.bad++;
  }

  reset(): void {
    this.totals.fill(0);
    this.bads.fill(0);
    this.total = 0;
    this.bad = 0;
  }

  static readonly frozenLength = 4 + 2 * buckets;

  freeze(into: Float64Array, at: number): void {
    into[at] = this.windowMs;
    into[at + 1] = this.total;
    into[at + 2] = this.bad;
    into[at + 3] = this.newest;
    into.set(this.totals, at + 4);
    into.set(this.bads, at + 4 + buckets);
  }

  thaw(from: Float64Array, at: number): void {
    if (from[at] !== this.windowMs) return this.reset();
    this.total = from[at + 1]!;
    this.bad = from[at + 2]!;
    this.newest = from[at + 3]!;
    for (let i = 0; i < buckets; i++) {
      this.totals[i] = from[at + 4 + i]!;
      this.bads[i] = from[at + 4 + buckets + i]!;
    }
  }

  private advance(nowMs: number): void {
    const current = Math.max(0, Math.floor(nowMs / this.bucketMs));
    const steps = current - this.newest;
    if (steps <= 0) return;
    if (steps >= buckets) {
      this.reset();
    } else {
      for (let number = this.newest + 1; number <= current; number++) this.forget(number % buckets);
    }
    this.newest = current;
  }

  private forget(bucket: number): void {
    this.total -= this.totals[bucket]!;
    this.bad -= this.bads[bucket]!;
    this.totals[bucket] = 0;
    this.bads[bucket] = 0;
  }
}
