/**
 * When the counts about one shard's targets are due: at once on the first failure, then every 100 ms while there are
 * errors or a breaker is not closed, else every second. The result of a probe is due at once, too. The
 * leader of many callers may ask for longer intervals.
 *
 *   calm ──failure: due now──▶ alert ──an interval without errors, all closed──▶ calm
 */
import { jitter, type Random } from '../../proto/kernel/random.ts';

export const alertIntervalMs = 100;
export const calmIntervalMs = 1000;
const jitterShare = 0.2;

export class ReportSchedule {
  private readonly random: Random;
  private alert = false;
  dueAtMs: number;

  constructor(nowMs: number, random: Random) {
    this.random = random;
    this.dueAtMs = nowMs + jitter(calmIntervalMs, jitterShare, random);
  }

  /** A failure was counted; true when that changed what is due. */
  failed(nowMs: number): boolean {
    if (this.alert) return false;
    this.alert = true;
    this.dueAtMs = nowMs;
    return true;
  }

  /** Something that should not wait for the interval's end. */
  soon(nowMs: number): void {
    this.alert = true;
    this.dueAtMs = Math.min(this.dueAtMs, nowMs);
  }

  isDue(nowMs: number): boolean {
    return nowMs >= this.dueAtMs;
  }

  /** The interval was reported; `troubled` if it held a failure or some breaker is not closed. */
  reported(troubled: boolean, nowMs: number, alertMs = alertIntervalMs): void {
    this.alert = troubled;
    this.dueAtMs = nowMs + jitter(troubled ? alertMs : calmIntervalMs, jitterShare, this.random);
  }
}
