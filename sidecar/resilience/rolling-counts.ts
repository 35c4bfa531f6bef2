/**
 * Successes and failures over a sliding window of time, in ten sub-windows: the oldest tenth is forgotten at once, so
 * the window is never shorter than nine tenths of its length, and the memory is twenty numbers whatever the traffic.
 */
const buckets = 10;

export class RollingCounts {
  total = 0;
  failures = 0;
  private readonly bucketMs: number;
  private readonly totals = new Float64Array(buckets);
  private readonly failed = new Float64Array(buckets);
  /** The running number of the newest bucket since the clock's zero. */
  private newest = Number.NEGATIVE_INFINITY;

  constructor(windowMs: number) {
    this.bucketMs = windowMs / buckets;
  }

  record(isFailure: boolean, nowMs: number): void {
    this.advance(nowMs);
    const bucket = this.newest % buckets;
    this.totals[bucket]! += 1;
    this.total++;
    if (!isFailure) return;
    this.failed[bucket]! += 1;
    this.failures++;
  }

  reset(): void {
    this.totals.fill(0);
    this.failed.fill(0);
    this.total = 0;
    this.failures = 0;
  }

  /** Numbers that freeze() writes. */
  static readonly frozenLength = 3 + 2 * buckets;

  freeze(into: Float64Array, at: number): void {
    into[at] = this.total;
    into[at + 1] = this.failures;
    into[at + 2] = this.newest;
    into.set(this.totals, at + 3);
    into.set(this.failed, at + 3 + buckets);
  }

  thaw(from: Float64Array, at: number): void {
    this.total = from[at]!;
    this.failures = from[at + 1]!;
    this.newest = from[at + 2]!;
    for (let i = 0; i < buckets; i++) {
      this.totals[i] = from[at + 3 + i]!;
      this.failed[i] = from[at + 3 + buckets + i]!;
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
    this.failures -= this.failed[bucket]!;
    this.totals[bucket] = 0;
    this.failed[bucket] = 0;
  }
}
