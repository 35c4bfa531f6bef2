/**
 * A leased rate: the generic cell rate algorithm with a rate that changes, so it keeps the level of the bucket instead of a
 * time of arrival, which would mean another level at another rate.
 *
 *   granted ──rate──▶ endsMs ──safe rate──▶ safeEndsMs ──newcomer's rate──▶ for ever, or until the next grant
 *
 * Time that has passed is filled in piece by piece, each with the rate of its piece, so it does not matter when anybody
 * looks. A grant brings no burst: the level stays, and the bucket is cut down to the size that goes with the rate.
 *
 * Bound: admits at most the rates over the time, and the largest bucket of it once.
 */
import { endsAt, type FleetShare, type Lease, levelAt } from './fleet-share.ts';

const seenAt = 2;
const rateAt = 3;
const burstAt = 4;
const safeRateAt = 5;
const safeBurstAt = 6;
const safeEndsAt = 7;

export class LeaseShare implements FleetShare {
  readonly numbers = 8;
  /** Of an instance that holds nothing, cost per second. */
  private readonly newcomerRate: number;
  private readonly newcomerBurst: number;

  constructor(newcomerRate: number, newcomerBurst: number) {
    this.newcomerRate = newcomerRate;
    this.newcomerBurst = newcomerBurst;
  }

  refill(row: Float64Array, at: number, nowMs: number): void {
    const seenMs = row[at + seenAt]!;
    if (nowMs <= seenMs) return;
    row[at + seenAt] = nowMs;
    // A row of zeros has seen nothing: it begins empty.
    if (seenMs === 0) return;
    const leaseEndsMs = row[at + endsAt]!;
    const safeEndsMs = row[at + safeEndsAt]!;
    let fromMs = seenMs;
    let level = row[at + levelAt]!;
    if (fromMs < leaseEndsMs) {
      const untilMs = Math.min(nowMs, leaseEndsMs);
      level = Math.min(row[at + burstAt]!, level + (row[at + rateAt]! * (untilMs - fromMs)) / 1000);
      fromMs = untilMs;
    }
    if (nowMs >= leaseEndsMs && fromMs < safeEndsMs) {
      const untilMs = Math.min(nowMs, safeEndsMs);
      level = Math.min(row[at + safeBurstAt]!, level + (row[at + safeRateAt]! * (untilMs - fromMs)) / 1000);
      fromMs = untilMs;
    }
    if (nowMs >= leaseEndsMs && nowMs >= safeEndsMs) {
      level = Math.min(this.newcomerBurst, level + (this.newcomerRate * (nowMs - fromMs)) / 1000);
    }
    row[at + levelAt] = level;
  }

  grant(row: Float64Array, at: number, lease: Lease, endsMs: number): void {
    row[at + rateAt] = lease.rate;
    row[at + burstAt] = lease.burst;
    row[at + endsAt] = endsMs;
    row[at + safeRateAt] = lease.safeRate;
    row[at + safeBurstAt] = lease.safeBurst;
    row[at + safeEndsAt] = endsMs + lease.safeForMs;
    row[at + levelAt] = Math.min(row[at + levelAt]!, lease.burst);
  }

  end(row: Float64Array, at: number): void {
    this.grant(row, at, nothing, Number.POSITIVE_INFINITY);
  }

  rateAt(row: Float64Array, at: number, nowMs: number): number {
    if (nowMs < row[at + endsAt]!) return row[at + rateAt]!;
    return nowMs < row[at + safeEndsAt]! ? row[at + safeRateAt]! : this.newcomerRate;
  }

  safeRate(row: Float64Array, at: number): number {
    return row[at + endsAt] === 0 ? this.newcomerRate : row[at + safeRateAt]!;
  }
}

const nothing: Lease = { rate: 0, burst: 0, safeRate: 0, safeBurst: 0, safeForMs: 0, chunk: 0 };
