/**
 * One bucket for all requests of an instance, filled by what the fleet grants it (fleet-share.ts). All threads of a proxy
 * share it exactly: its row stands in memory that they share, under the lock of every other limiter.
 *
 * It counts what is asked and what is admitted, since that is what the next share is made from. When nothing that was
 * granted is in force, `open` admits what the bucket refuses, and counts it apart: that is the overshoot.
 */
import { lockBytes, lockOf, type SharedLock } from '../../proto/kernel/shared-lock.ts';
import { burstOfShare, type FleetLimit } from '../../proto/policy/fleet-limits.ts';
import { ChunkShare } from './chunk-share.ts';
import { endsAt, type FleetShare, type Lease, levelAt } from './fleet-share.ts';
import { LeaseShare } from './lease-share.ts';
import type { RateLimiter } from './rate-limiter.ts';

export type QuotaState = 'leased' | 'safe' | 'newcomer' | 'open' | 'closed';

export interface QuotaReading {
  readonly state: QuotaState;
  /** Cost per second that comes in now, and once what was granted has run out. */
  readonly rate: number;
  readonly safeRate: number;
  /** Cost that would be admitted at once. */
  readonly level: number;
  /** Cost since the limiter was made. */
  readonly demand: number;
  readonly admitted: number;
  readonly overshoot: number;
}

const demandAt = 0;
const admittedAt = 1;
const overshootAt = 2;
const shareAt = 3;
/** Sums of fractions come out a little short. */
const slack = 1e-6;
/** The next share may be another: nobody is sent away for longer, unless the whole fleet would need longer. */
const waitMaxMs = 1000;

export class FleetRateLimiter implements RateLimiter {
  readonly overflows = 0;
  readonly limit: FleetLimit;
  readonly memory: ArrayBufferLike;
  private readonly share: FleetShare;
  private readonly isOpen: boolean;
  private readonly lock: SharedLock | null;
  private readonly row: Float64Array;

  static bytesFor(limit: FleetLimit): number {
    return lockBytes + 8 * (shareAt + shareOf(limit).numbers);
  }

  /** `memory` zeroed, or that of a limiter of the same kind, whose level and grants it takes over. */
  constructor(limit: FleetLimit, memory?: ArrayBufferLike, owner = 1) {
    this.limit = limit;
    this.memory = memory ?? new ArrayBuffer(FleetRateLimiter.bytesFor(limit));
    this.share = shareOf(limit);
    this.isOpen = limit.withoutControlPlane === 'open';
    this.lock = lockOf(this.memory, owner);
    this.row = new Float64Array(this.memory, lockBytes, shareAt + this.share.numbers);
  }

  /** The answers of Meter.take. */
  tryAcquire(_key: string, nowMs: number, cost = 1): number {
    const { row, lock } = this;
    if (lock !== null) lock.acquire();
    this.share.refill(row, shareAt, nowMs);
    row[demandAt]! += cost;
    const level = row[shareAt + levelAt]!;
    let answer = 0;
    if (level + slack >= cost) {
      row[shareAt + levelAt] = Math.max(0, level - cost);
      row[admittedAt]! += cost;
    } else if (this.isOpen && nowMs >= row[shareAt + endsAt]!) {
      row[admittedAt]! += cost;
      row[overshootAt]! += cost;
    } else answer = this.waitMs(cost - level, nowMs);
    if (lock !== null) lock.release();
    return answer;
  }

  remaining(nowMs: number): number {
    return Math.floor(this.levelNow(nowMs) + slack);
  }

  /** Shares change ten times a second. */
  steadyMs(): number {
    return waitMaxMs;
  }

  /** `endsMs`: on this clock. False when its time is up already. */
  grant(lease: Lease, endsMs: number, nowMs: number): boolean {
    if (endsMs <= nowMs) return false;
    const { row, lock } = this;
    if (lock !== null) lock.acquire();
    this.share.refill(row, shareAt, nowMs);
    this.share.grant(row, shareAt, lease, endsMs);
    if (lock !== null) lock.release();
    return true;
  }

  /** For good: the instance has said that it leaves. */
  end(): void {
    if (this.lock !== null) this.lock.acquire();
    this.share.end(this.row, shareAt);
    if (this.lock !== null) this.lock.release();
  }

  reading(nowMs: number): QuotaReading {
    const { row, share } = this;
    return {
      state: this.stateAt(nowMs),
      rate: share.rateAt(row, shareAt, nowMs),
      safeRate: share.safeRate(row, shareAt),
      level: this.levelNow(nowMs),
      demand: row[demandAt]!,
      admitted: row[admittedAt]!,
      overshoot: row[overshootAt]!,
    };
  }

  private stateAt(nowMs: number): QuotaState {
    const { row, share } = this;
    if (nowMs < row[shareAt + endsAt]!) return 'leased';
    if (this.isOpen) return 'open';
    const rate = share.rateAt(row, shareAt, nowMs);
    if (rate === 0) return 'closed';
    return row[shareAt + endsAt]! > 0 && rate !== this.limit.newcomerRate ? 'safe' : 'newcomer';
  }

  private levelNow(nowMs: number): number {
    if (this.lock !== null) this.lock.acquire();
    this.share.refill(this.row, shareAt, nowMs);
    const level = this.row[shareAt + levelAt]!;
    if (this.lock !== null) this.lock.release();
    return level;
  }

  private waitMs(missing: number, nowMs: number): number {
    const rate = this.share.rateAt(this.row, shareAt, nowMs);
    const most = Math.max(waitMaxMs, (missing * 1000) / this.limit.rate);
    return rate > 0 ? Math.min(most, (missing * 1000) / rate) : most;
  }
}

function shareOf(limit: FleetLimit): FleetShare {
  if (limit.chunks) return new ChunkShare();
  return new LeaseShare(limit.newcomerRate, burstOfShare(limit, limit.newcomerRate));
}
