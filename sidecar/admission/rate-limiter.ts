/**
 * One bucket for all requests. What it admits is the promise of its meter (meter.ts), by all threads together where they
 * share the memory.
 */
import { lockBytes, lockOf, type SharedLock } from '../../proto/kernel/shared-lock.ts';
import type { Meter, MeterOptions } from './meter.ts';
import { meterOf } from './meter-of.ts';

/** One bucket or one for each key; answers are those of Meter.take. */
export interface RateLimiter {
  tryAcquire(key: string, nowMs: number, cost?: number, patienceMs?: number): number;
  /** Of the bucket that the last request met: ask at once. A hint, where other threads use it too. */
  remaining(nowMs: number): number;
  steadyMs(nowMs: number): number;
  /** Requests that found no bucket of their own. */
  readonly overflows: number;
}

export class SingleRateLimiter implements RateLimiter {
  readonly overflows = 0;
  private readonly meter: Meter;
  private readonly lock: SharedLock | null;
  private readonly row: Float64Array;

  /** Memory in which the bucket stands: a lock and the numbers of the meter. */
  static bytesFor(options: MeterOptions): number {
    return lockBytes + 8 * meterOf(options).numbers;
  }

  /** `memory` zeroed, or another thread's bucket: then it is the same bucket. */
  constructor(options: MeterOptions, memory?: ArrayBufferLike, owner = 1) {
    const bytes = memory ?? new ArrayBuffer(SingleRateLimiter.bytesFor(options));
    this.meter = meterOf(options);
    this.lock = lockOf(bytes, owner);
    this.row = new Float64Array(bytes, lockBytes, this.meter.numbers);
  }

  tryAcquire(_key: string, nowMs: number, cost = 1, patienceMs = Number.POSITIVE_INFINITY): number {
    if (this.lock !== null) this.lock.acquire();
    const answer = this.meter.take(this.row, 0, cost, nowMs, patienceMs);
    if (this.lock !== null) this.lock.release();
    return answer;
  }

  remaining(nowMs: number): number {
    return this.meter.remaining(this.row, 0, nowMs);
  }

  steadyMs(nowMs: number): number {
    return this.meter.steadyMs(this.row, 0, nowMs);
  }
}
