/**
 * Ends a stream whose reader has taken nothing for longer than the policy's stall timeout, while something was there to
 * take. Content passes here on its way to the reader and its credit on the way back, so every protocol is seen alike:
 * what went on and has not come back is outstanding, and any credit at all is progress.
 */
import { Timer, type TimerWheel } from '../../proto/kernel/timer-wheel.ts';
import type { HeaderList } from '../http2/hpack/field.ts';
import type { CreditSource } from '../http2/stream.ts';
import type { Clock } from './context.ts';
import type { ContentSink } from './http-stream.ts';

export interface StallWatchOptions {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly timeoutMs: number;
  readonly sink: ContentSink;
  readonly source: CreditSource;
  readonly onStalled: () => void;
}

export class StallWatch extends Timer implements ContentSink, CreditSource {
  private readonly options: StallWatchOptions;
  private outstandingBytes = 0;
  private progressMs = 0;

  constructor(options: StallWatchOptions) {
    super();
    this.options = options;
  }

  get messagesDropped(): number {
    return this.options.source.messagesDropped ?? 0;
  }

  get pinnedBytes(): number {
    return this.options.source.pinnedBytes ?? 0;
  }

  get isClosed(): boolean {
    return this.options.sink.isClosed;
  }

  sendData(buf: Buffer, start: number, end: number, endStream: boolean): void {
    const { clock, wheel, timeoutMs, sink } = this.options;
    if (end > start) {
      if (this.outstandingBytes === 0) this.progressMs = clock.nowMs;
      this.outstandingBytes += end - start;
      if (!this.isScheduled()) wheel.schedule(this, this.progressMs + timeoutMs);
    }
    sink.sendData(buf, start, end, endStream);
  }

  sendTrailers(list: HeaderList): void {
    this.options.sink.sendTrailers(list);
  }

  credit(bytes: number): void {
    const { clock, source } = this.options;
    this.outstandingBytes = Math.max(0, this.outstandingBytes - bytes);
    this.progressMs = clock.nowMs;
    if (this.outstandingBytes === 0) this.stop();
    source.credit(bytes);
  }

  stop(): void {
    this.options.wheel.cancel(this);
  }

  /** Progress does not move the timer, which would cost more than to look again when it fires. */
  override onTimer(nowMs: number): void {
    const dueMs = this.progressMs + this.options.timeoutMs;
    if (nowMs < dueMs) this.options.wheel.schedule(this, dueMs);
    else this.options.onStalled();
  }
}
