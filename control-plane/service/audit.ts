/**
 * Who changed what, into the events stream. An entry waits here while the stream cannot be written; beyond the bound
 * the oldest are given up, counted and logged, because a full memory would stop more than the audit.
 */
import type { Log } from '../../proto/kernel/log-format.ts';
import type { Bus } from './bus.ts';

export const waitingMax = 1_000;

interface Entry {
  readonly subject: string;
  readonly text: string;
}

export class Audit {
  private readonly waiting: Entry[] = [];
  private readonly bus: Bus;
  private readonly log: Log;
  private flushing = false;

  constructor(bus: Bus, log: Log) {
    this.bus = bus;
    this.log = log;
  }

  record(subject: string, entry: Readonly<Record<string, unknown>>): void {
    this.waiting.push({ subject, text: JSON.stringify(entry) });
    if (this.waiting.length > waitingMax) {
      const lost = this.waiting.shift();
      this.log.error('audit entry lost: the events stream has not been writable for too long', { entry: lost?.text });
    }
    // What cannot be written now waits for the next flush.
    this.flush().catch(() => {});
  }

  /** Throws BusError when something has to wait on. */
  async flush(): Promise<void> {
    if (this.flushing) return;
    this.flushing = true;
    try {
      for (let entry = this.waiting[0]; entry; entry = this.waiting[0]) {
        await this.bus.append(entry.subject, entry.text);
        if (this.waiting[0] === entry) this.waiting.shift();
      }
    } finally {
      this.flushing = false;
    }
  }
}
