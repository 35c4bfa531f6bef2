/**
 * A quantile of latencies without keeping them: counts in buckets whose bounds grow by 4 %, in cells of the algorithm that
 * uses it. From 10 µs to more than a minute; what is outside counts at the ends.
 */
const leastMs = 0.01;
const growth = 1.04;
const logOfGrowth = Math.log(growth);

export class LatencyBuckets {
  static readonly cells = 400;
  private readonly cells: Float64Array;
  private readonly at: number;

  constructor(cells: Float64Array, at: number) {
    this.cells = cells;
    this.at = at;
  }

  add(rttMs: number): void {
    const bucket = rttMs <= leastMs ? 0 : Math.floor(Math.log(rttMs / leastMs) / logOfGrowth);
    this.cells[this.at + Math.min(LatencyBuckets.cells - 1, bucket)]! += 1;
  }

  clear(): void {
    this.cells.fill(0, this.at, this.at + LatencyBuckets.cells);
  }

  /** Of `count` latencies the one below which `share` of them lie, up to 2 % wrong; the middle of its bucket. */
  quantileMs(share: number, count: number): number {
    let seen = 0;
    let bucket = 0;
    for (; bucket < LatencyBuckets.cells - 1; bucket++) {
      seen += this.cells[this.at + bucket]!;
      if (seen >= share * count) break;
    }
    return leastMs * growth ** (bucket + 0.5);
  }
}
