/**
 * How often peers ran into the bounds of the HTTP/2 engine, by `Limit` code: counted for the whole process, since it is
 * the process that the bounds protect. The log hears of each kind once at once and then as counts per interval, so that
 * an attack is neither silent nor a flood of lines.
 */
import type { Log } from '../../proto/kernel/log-format.ts';
import { limitCount, limitName } from '../http2/limit-codes.ts';

const intervalMs = 10_000;

class LimitTrips {
  readonly counts = new Float64Array(limitCount);
  private readonly listeners = new Set<LimitLog>();

  record(limit: number, from: string): void {
    this.counts[limit]! += 1;
    for (const listener of this.listeners) listener.onTrip(limit, from);
  }

  listen(listener: LimitLog): void {
    this.listeners.add(listener);
  }

  forget(listener: LimitLog): void {
    this.listeners.delete(listener);
  }
}

export const limitTrips = new LimitTrips();

export class LimitLog {
  private readonly log: Log;
  /** Since the last line about each. */
  private readonly unsaid = new Float64Array(limitCount);
  private readonly timer: NodeJS.Timeout;

  constructor(log: Log) {
    this.log = log;
    this.timer = setInterval(() => this.flush(), intervalMs);
    this.timer.unref();
    limitTrips.listen(this);
  }

  onTrip(limit: number, from: string): void {
    this.unsaid[limit]! += 1;
    if (this.unsaid[limit] === 1) this.log.warn('http2 limit', { limit: limitName(limit), from: from || undefined });
  }

  /** Writes what has been counted. */
  flush(): void {
    for (let limit = 1; limit < limitCount; limit++) {
      const count = this.unsaid[limit]!;
      this.unsaid[limit] = 0;
      // 1 is the one that was logged at once.
      if (count > 1) this.log.warn('http2 limit', { limit: limitName(limit), count: count - 1, intervalMs });
    }
  }

  close(): void {
    limitTrips.forget(this);
    clearInterval(this.timer);
    this.flush();
  }
}
