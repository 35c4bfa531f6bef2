/**
 * A request that nobody waits for any longer and the app still works on: it timed out, or its caller left. Its permit
 * stays taken until the app answers after all, or `abandonAfter` has passed and its stream is reset. Were it free at
 * once, the limit would count an app full of forgotten work as empty, and let in the next ones to wait behind it.
 *
 * How many there are is bounded by the limit, since each has a permit; what arrives for them is thrown away as it comes.
 */
import { Timer, type TimerWheel } from '../../proto/kernel/timer-wheel.ts';
import type { Admission } from '../admission/admission.ts';
import { ErrorCode } from '../http2/constants.ts';
import type { HeaderList } from '../http2/hpack/field.ts';
import type { StreamHandler } from '../http2/stream.ts';
import type { Clock, LeftBehind } from './context.ts';
import type { HttpStream } from './http-stream.ts';

export interface AbandonedOptions {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly admission: Admission;
  readonly up: HttpStream;
  readonly isGrpc: boolean;
}

export class Abandoned extends Timer implements StreamHandler, LeftBehind {
  sampleFromMs = -1;
  private readonly options: AbandonedOptions;
  private isOver = false;

  /** Takes over the stream, and one permit of the admission. */
  constructor(options: AbandonedOptions) {
    super();
    this.options = options;
    const { up, wheel, clock, admission } = options;
    up.handler = this;
    wheel.schedule(this, clock.nowMs + admission.abandonAfterMs);
  }

  onHeaders(list: HeaderList, endStream: boolean): void {
    if (list.status < 200) return;
    if (endStream) this.end();
    else if (!this.options.isGrpc) this.cut();
  }

  onData(_buf: Buffer, start: number, end: number, endStream: boolean): void {
    this.options.up.credit(end - start);
    if (endStream) this.end();
    else this.cut();
  }

  onTrailers(): void {
    this.end();
  }

  onReset(): void {
    this.end(true);
  }

  override onTimer(): void {
    this.cut(true);
  }

  private cut(isDrop = false): void {
    if (this.isOver) return;
    this.options.up.reset(ErrorCode.cancel);
    this.end(isDrop);
  }

  private end(isDrop = false): void {
    if (this.isOver) return;
    this.isOver = true;
    const { wheel, clock, admission } = this.options;
    wheel.cancel(this);
    const { nowMs } = clock;
    if (this.sampleFromMs >= 0) admission.sample(nowMs - this.sampleFromMs, isDrop, nowMs);
    admission.leave(nowMs);
  }
}
