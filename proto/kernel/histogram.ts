/**
 * A log-linear histogram of durations in typed arrays: 16 linear steps per power of two, so every value is known to
 * within 6.25 %, from 1 µs to about 67 s, in 416 counters. Histograms of different instances are merged by adding counts;
 * percentiles are never averaged.
 */
const subBuckets = 16;
const subBits = 4;
const octaves = 26;

export const histogramBuckets = subBuckets * octaves;

/** The bucket of a value in microseconds. */
export function bucketOf(valueUs: number): number {
  if (!(valueUs >= 1)) return 0;
  if (valueUs < subBuckets) return valueUs | 0;
  const capped = valueUs > 0x7fffffff ? 0x7fffffff : valueUs | 0;
  const octave = 31 - Math.clz32(capped) - subBits + 1;
  const index = octave * subBuckets + ((capped >>> (octave - 1)) & (subBuckets - 1));
  return index < histogramBuckets ? index : histogramBuckets - 1;
}

/** The smallest value, in microseconds, that lies above bucket `index`. */
export function bucketUpperUs(index: number): number {
  const octave = index >> subBits;
  const step = index & (subBuckets - 1);
  if (octave === 0) return step + 1;
  return (subBuckets + step + 1) * 2 ** (octave - 1);
}

const countAt = histogramBuckets;
const sumAt = histogramBuckets + 1;
/** Counters, then count and sum: histograms of several threads are merged by adding all of them. */
export const histogramNumbers = histogramBuckets + 2;

export class Histogram {
  readonly counts: Float64Array;
  private readonly numbers: Float64Array;

  /** `numbers`: `histogramNumbers` zeros, or where a histogram stands already. */
  constructor(numbers: Float64Array = new Float64Array(histogramNumbers)) {
    this.numbers = numbers;
    this.counts = numbers.subarray(0, histogramBuckets);
  }

  get count(): number {
    return this.numbers[countAt]!;
  }

  get sumMs(): number {
    return this.numbers[sumAt]!;
  }

  record(valueMs: number): void {
    const { numbers } = this;
    numbers[bucketOf(valueMs * 1000)]! += 1;
    numbers[countAt]! += 1;
    numbers[sumAt]! += valueMs;
  }

  /** The value in ms below which `share` (0..1) of the samples lie, to within a bucket; NaN when empty. */
  quantileMs(share: number): number {
    return quantileMs(this.counts, this.count, share);
  }

  /** Counts as index, count, index, count, …: what travels in a heartbeat. */
  toSparse(): number[] {
    const sparse: number[] = [];
    for (let i = 0; i < histogramBuckets; i++) {
      if (this.counts[i]! > 0) sparse.push(i, this.counts[i]!);
    }
    return sparse;
  }
}

/** Adds sparse counts (times `sign`) to a dense array; indices out of range, which only a faulty peer sends, are ignored. */
export function addSparse(into: Float64Array, sparse: readonly number[], sign = 1): void {
  for (let i = 0; i + 1 < sparse.length; i += 2) {
    const index = sparse[i]!;
    if (index >= 0 && index < into.length) into[index]! += sign * sparse[i + 1]!;
  }
}

export function quantileMs(counts: Float64Array, count: number, share: number): number {
  if (count <= 0) return Number.NaN;
  const rank = share * count;
  let seen = 0;
  for (let i = 0; i < counts.length; i++) {
    seen += counts[i]!;
    if (seen >= rank && seen > 0) return bucketUpperUs(i) / 1000;
  }
  return bucketUpperUs(histogramBuckets - 1) / 1000;
}
