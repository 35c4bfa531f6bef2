/**
 * Paces one direction of a stream: so many bytes, or gRPC messages, a second go on to the reader, and what comes faster
 * waits here. Credit follows: the source gets its window back as the reader's socket takes the bytes, so one window
 * later the source itself is as slow. Backpressure, not errors, and the same for HTTP/2, HTTP/1.1 and SSE, since it
 * stands between streams and not in the engine.
 *
 * Bytes come out of a token bucket of 50 ms: in any time t at most rate · (t + 50 ms) go on. Messages come one by one at
 * their interval (GCRA that forgives 20 ms of lateness): at most rate · (t + 20 ms) + 1. What waits is bounded by the
 * window that the source was given.
 */
import { Timer, type TimerWheel } from '../../proto/kernel/timer-wheel.ts';
import type { FlowBudget } from '../http2/flow-budget.ts';
import type { HeaderList } from '../http2/hpack/field.ts';
import { SendQueue } from '../http2/send-queue.ts';
import type { PaceSettings } from '../policy/compiled.ts';
import type { Clock } from './context.ts';
import type { ContentSink } from './http-stream.ts';
import { MessageStarts } from './message-starts.ts';

export interface PacerOptions {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly budget: FlowBudget;
  readonly settings: PaceSettings;
  /** Whether the content is gRPC's: only that has messages. */
  readonly isGrpc: boolean;
  readonly sink: ContentSink;
}

/** As much as passes at once, in time at the pace; below it, timers would decide. */
const burstMs = 50;
/** A tick of the wheel is never shorter than this. */
const waitMinMs = 4;
/** What timers may be late without slowing messages down. */
const latenessMs = 20;
const nothing = Buffer.alloc(0);

export class Pacer extends Timer implements ContentSink {
  private readonly clock: Clock;
  private readonly wheel: TimerWheel;
  private readonly sink: ContentSink;
  private readonly queue: SendQueue;
  private readonly bytesPerMs: number;
  private readonly messageIntervalMs: number;
  private readonly starts: MessageStarts | null;
  private tokens: number;
  private refilledMs: number;
  /** When the next message may begin. */
  private nextMessageMs = 0;
  private ends = false;
  private trailers: HeaderList | null = null;

  constructor({ clock, wheel, budget, settings, isGrpc, sink }: PacerOptions) {
    super();
    this.clock = clock;
    this.wheel = wheel;
    this.sink = sink;
    this.queue = new SendQueue(budget);
    this.bytesPerMs = settings.bytesPerSecond / 1000;
    this.messageIntervalMs = settings.messagesPerSecond > 0 ? 1000 / settings.messagesPerSecond : 0;
    this.starts = isGrpc && this.messageIntervalMs > 0 ? new MessageStarts() : null;
    this.tokens = this.bytesPerMs * burstMs;
    this.refilledMs = clock.nowMs;
  }

  get isClosed(): boolean {
    return this.sink.isClosed;
  }

  sendData(buf: Buffer, start: number, end: number, endStream: boolean): void {
    if (end > start) {
      this.starts?.scan(buf, start, end);
      this.queue.append(buf, start, end);
    }
    if (endStream) this.ends = true;
    this.pump(this.clock.nowMs);
  }

  sendTrailers(list: HeaderList): void {
    this.trailers = list;
    this.pump(this.clock.nowMs);
  }

  /** The stream is over: nothing more goes on. */
  stop(): void {
    this.wheel.cancel(this);
    this.queue.clear();
    this.ends = false;
    this.trailers = null;
  }

  override onTimer(nowMs: number): void {
    this.pump(nowMs);
  }

  private pump(nowMs: number): void {
    if (this.sink.isClosed) return this.stop();
    this.wheel.cancel(this);
    this.refill(nowMs);
    while (this.queue.bytes > 0) {
      const count = Math.min(this.queue.bytes, this.allowedBytes(nowMs));
      if (count <= 0) {
        this.wheel.schedule(this, nowMs + this.waitMs(nowMs));
        return;
      }
      this.forward(count, nowMs);
      // What was sent may have ended the stream from the other side.
      if (this.sink.isClosed) return this.stop();
    }
    if (this.trailers !== null) this.sink.sendTrailers(this.trailers);
    else if (this.ends) this.sink.sendData(nothing, 0, 0, true);
    this.trailers = null;
    this.ends = false;
  }

  private forward(count: number, nowMs: number): void {
    const bytes = Buffer.allocUnsafe(count);
    this.queue.moveTo(bytes, 0, count);
    if (this.bytesPerMs > 0) this.tokens -= count;
    if (this.starts?.release(count)) {
      this.nextMessageMs = Math.max(this.nextMessageMs, nowMs - latenessMs) + this.messageIntervalMs;
    }
    const isLast = this.ends && this.queue.bytes === 0;
    if (isLast) this.ends = false;
    this.sink.sendData(bytes, 0, count, isLast);
  }

  private allowedBytes(nowMs: number): number {
    const byRate = this.bytesPerMs > 0 ? Math.floor(this.tokens) : Number.POSITIVE_INFINITY;
    if (this.starts === null) return byRate;
    return Math.min(byRate, this.starts.bytesUntilStart(nowMs >= this.nextMessageMs ? 1 : 0));
  }

  /** Until there is something worth sending: a sixteenth of the bucket at least, so that a timer is worth its cost. */
  private waitMs(nowMs: number): number {
    const forMessage = this.starts !== null ? this.nextMessageMs - nowMs : 0;
    const wanted = Math.min(this.queue.bytes, Math.max(1, (this.bytesPerMs * burstMs) / 16));
    const forBytes = this.bytesPerMs > 0 ? (wanted - this.tokens) / this.bytesPerMs : 0;
    return Math.max(waitMinMs, forMessage, forBytes);
  }

  private refill(nowMs: number): void {
    const full = Math.max(1, this.bytesPerMs * burstMs);
    this.tokens = Math.min(full, this.tokens + (nowMs - this.refilledMs) * this.bytesPerMs);
    this.refilledMs = nowMs;
  }
}
