/**
 * A token bucket in one number, by the generic cell rate algorithm: `tat` is the theoretical arrival time of the next
 * request of a perfectly paced caller. Each request moves it on by one interval T = 1/rate; a request is refused when
 * that would bring it more than burst·T ahead of now. A bucket that counts tokens needs a refill, two numbers and a
 * timer or a multiplication per request, and says no more.
 *
 * Bound: in any window of w seconds at most burst + w·rate requests are admitted, up to a hundredth of a request; by all
 * threads together where they share the number. A thread whose clock is behind only refuses more.
 */
import { lockBytes, lockOf, type SharedLock } from '../../proto/kernel/shared-lock.ts';

/**
 * Slack for rounding: sums of fractional milliseconds would otherwise refuse the last request of a full burst, or a caller
 * who comes back exactly when it was told to. A microsecond holds for bursts of thousands after months of uptime; where
 * requests are closer than that, it is a hundredth of one. It never admits a whole request more.
 */
const roundingMaxMs = 1e-3;
const roundingMaxShare = 0.01;

export interface RateLimiterOptions {
  readonly ratePerSecond: number;
  /** Requests admitted at once after a quiet time, at least 1. */
  readonly burst: number;
}

export class GcraLimiter {
  /** Memory in which one bucket stands: a lock and the theoretical arrival time. */
  static readonly bytes = lockBytes + 8;

  private readonly cell: Cell;
  private readonly lock: SharedLock | null;
  private readonly tatMs: Float64Array;

  /** `memory` zeroed, or another thread's bucket: then it is the same bucket. */
  constructor(options: RateLimiterOptions, memory: ArrayBufferLike = new ArrayBuffer(GcraLimiter.bytes), owner = 1) {
    this.cell = new Cell(options);
    this.lock = lockOf(memory, owner);
    this.tatMs = new Float64Array(memory, lockBytes, 1);
  }

  /** 0 when admitted, else the milliseconds until a request would be. */
  tryAcquire(nowMs: number): number {
    if (this.lock !== null) this.lock.acquire();
    const nextMs = this.cell.nextTatMs(this.tatMs[0]!, nowMs);
    const excessMs = this.cell.excessMs(nextMs, nowMs);
    if (excessMs === 0) this.tatMs[0] = nextMs;
    if (this.lock !== null) this.lock.release();
    return excessMs;
  }
}

/** The arithmetic, apart from where the arrival times are kept. */
export class Cell {
  /** T, one request's share of time. */
  readonly intervalMs: number;
  /** How far ahead of now the theoretical arrival time may run: burst·T. */
  private readonly toleranceMs: number;
  private readonly roundingMs: number;

  constructor({ ratePerSecond, burst }: RateLimiterOptions) {
    this.intervalMs = 1000 / ratePerSecond;
    this.toleranceMs = burst * this.intervalMs;
    this.roundingMs = Math.min(roundingMaxMs, roundingMaxShare * this.intervalMs);
  }

  /** The arrival time if this request were admitted. */
  nextTatMs(tatMs: number, nowMs: number): number {
    return Math.max(tatMs, nowMs) + this.intervalMs;
  }

  /** By how much `nextMs` would be too far ahead, which is how long to wait; 0 when it is not. */
  excessMs(nextMs: number, nowMs: number): number {
    const excessMs = nextMs - nowMs - this.toleranceMs;
    return excessMs > this.roundingMs ? excessMs : 0;
  }
}
