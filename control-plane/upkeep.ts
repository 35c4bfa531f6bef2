/**
 * Something that is made whole again and again: at once when it becomes possible, then every so often, and soon after a
 * failure. One run at a time; a failure that lasts is logged every few seconds, not every time.
 */
import type { Log } from '../proto/kernel/log-format.ts';

export interface UpkeepOptions {
  readonly name: string;
  readonly everyMs: number;
  readonly retryMs: number;
  readonly log: Log;
}

const logEveryMs = 5_000;

export class Upkeep {
  private readonly options: UpkeepOptions;
  private readonly work: () => Promise<void>;
  private timer: NodeJS.Timeout | undefined;
  private possible = false;
  private running = false;
  private again = false;
  private closed = false;
  private loggedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: UpkeepOptions, work: () => Promise<void>) {
    this.options = options;
    this.work = work;
  }

  setPossible(possible: boolean): void {
    this.possible = possible;
    if (possible) this.soon();
    else clearTimeout(this.timer);
  }

  soon(): void {
    this.again = true;
    this.schedule(0);
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }

  private schedule(delayMs: number): void {
    clearTimeout(this.timer);
    if (this.closed || !this.possible) return;
    this.timer = setTimeout(() => void this.run(), delayMs);
  }

  private async run(): Promise<void> {
    if (this.running) return;
    this.running = true;
    this.again = false;
    let delayMs = this.options.everyMs;
    try {
      await this.work();
    } catch (error) {
      delayMs = this.options.retryMs;
      if (this.possible && !this.closed) this.report(error);
    } finally {
      this.running = false;
    }
    this.schedule(this.again ? 0 : delayMs);
  }

  private report(error: unknown): void {
    const nowMs = performance.now();
    if (nowMs - this.loggedAtMs < logEveryMs) return;
    this.loggedAtMs = nowMs;
    this.options.log.warn(`${this.options.name} cannot be kept up; trying again`, { error });
  }
}
