/**
 * Strict chunks: so many requests, each chunk good for its own time. What a chunk has left when its time is up is lost.
 * Requests are taken from the oldest chunk first, so the level is never more than the chunks whose time is not up.
 *
 * Bound: admits what was granted, each of it before its time was up, and nothing else.
 */
import { endsAt, type FleetShare, type Lease, levelAt } from './fleet-share.ts';

/** One comes for each report, at most every 80 ms, and is good for 1 s. A chunk that finds no room is lost. */
const chunksMax = 16;
const chunkAt = 2;

export class ChunkShare implements FleetShare {
  readonly numbers = chunkAt + 2 * chunksMax;

  refill(row: Float64Array, at: number, nowMs: number): void {
    let valid = 0;
    for (let i = at + chunkAt; i < at + this.numbers; i += 2) if (nowMs < row[i + 1]!) valid += row[i]!;
    if (row[at + levelAt]! > valid) row[at + levelAt] = valid;
  }

  grant(row: Float64Array, at: number, { chunk }: Lease, endsMs: number): void {
    if (endsMs > row[at + endsAt]!) row[at + endsAt] = endsMs;
    let oldest = at + chunkAt;
    for (let i = oldest; i < at + this.numbers; i += 2) if (row[i + 1]! < row[oldest + 1]!) oldest = i;
    // The oldest one's time may not be up: then what it has left goes with it, at the next refill.
    row[oldest] = chunk;
    row[oldest + 1] = endsMs;
    row[at + levelAt]! += chunk;
  }

  end(row: Float64Array, at: number): void {
    row.fill(0, at, at + this.numbers);
    row[at + endsAt] = Number.POSITIVE_INFINITY;
  }

  rateAt(): number {
    return 0;
  }

  safeRate(): number {
    return 0;
  }
}
