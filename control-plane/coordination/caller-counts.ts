/**
 * What one caller reported about one target over the last three seconds, in buckets of 100 ms. A report covers its
 * whole interval, so its successes are spread over it; its failures lie at its end, because a caller speaks at once
 * when the first one happens. Without this, the second of healthy traffic before an outage would hide the outage
 * until it has left the window.
 */
const bucketMs = 100;
const bucketCount = 32;

export interface IntervalCounts {
  readonly n: number;
  readonly fail: number;
  readonly intervalMs: number;
}

export class CallerCounts {
  private readonly n = new Float64Array(bucketCount);
  private readonly fail = new Float64Array(bucketCount);
  private newest = Number.NEGATIVE_INFINITY;
  private last: IntervalCounts = { n: 0, fail: 0, intervalMs: bucketMs };
  private heardAtMs = Number.NEGATIVE_INFINITY;
  demandAtMs = Number.NEGATIVE_INFINITY;

  add(counts: IntervalCounts, nowMs: number): void {
    this.advance(nowMs);
    const spread = Math.min(bucketCount - 2, Math.max(1, Math.round(counts.intervalMs / bucketMs)));
    const successes = (counts.n - counts.fail) / spread;
    for (let back = 0; back < spread; back++) this.n[slot(this.newest - back)]! += successes;
    this.n[slot(this.newest)]! += counts.fail;
    this.fail[slot(this.newest)]! += counts.fail;
    this.last = counts;
    this.heardAtMs = nowMs;
  }

  /** Counts of the bucket that is `back` buckets old; [0] is the running one. */
  nAt(back: number, nowMs: number): number {
    const bucket = Math.floor(nowMs / bucketMs) - back;
    return this.holds(bucket) ? this.n[slot(bucket)]! : 0;
  }

  failAt(back: number, nowMs: number): number {
    const bucket = Math.floor(nowMs / bucketMs) - back;
    return this.holds(bucket) ? this.fail[slot(bucket)]! : 0;
  }

  /**
   * What stands for a caller that did not speak within the window: its last counts, scaled to the window, if they
   * were healthy (it reports once a second then); nothing if they were not.
   */
  standingN(windowMs: number, nowMs: number): number {
    if (nowMs - this.heardAtMs < windowMs || this.last.n === 0 || this.last.fail * 2 >= this.last.n) return 0;
    return this.last.n * Math.min(1, windowMs / Math.max(this.last.intervalMs, bucketMs));
  }

  standingFail(windowMs: number, nowMs: number): number {
    return this.last.n === 0 ? 0 : (this.standingN(windowMs, nowMs) * this.last.fail) / this.last.n;
  }

  /** What was counted in the window; what stands for a caller that did not speak. */
  within(windowMs: number, nowMs: number): { readonly n: number; readonly fail: number } {
    let n = 0;
    let fail = 0;
    for (let back = 0; back * bucketMs < windowMs; back++) {
      n += this.nAt(back, nowMs);
      fail += this.failAt(back, nowMs);
    }
    if (n > 0) return { n, fail };
    return { n: this.standingN(windowMs, nowMs), fail: this.standingFail(windowMs, nowMs) };
  }

  /** The counts no longer say anything (the breaker changed its state); that there is demand stays known. */
  clear(): void {
    this.n.fill(0);
    this.fail.fill(0);
    this.last = { n: 0, fail: 0, intervalMs: bucketMs };
  }

  private advance(nowMs: number): void {
    const bucket = Math.floor(nowMs / bucketMs);
    const stale = Math.min(bucketCount, bucket - this.newest);
    for (let i = 0; i < stale; i++) {
      this.n[slot(bucket - i)] = 0;
      this.fail[slot(bucket - i)] = 0;
    }
    if (bucket > this.newest) this.newest = bucket;
  }

  private holds(bucket: number): boolean {
    return bucket <= this.newest && bucket > this.newest - bucketCount;
  }
}

export const countsBucketMs = bucketMs;

function slot(bucket: number): number {
  return ((bucket % bucketCount) + bucketCount) % bucketCount;
}
