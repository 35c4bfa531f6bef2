/**
 * Keeps a copy of an answer on its way to the caller, for when the service cannot answer any more. It stands between the
 * attempt and the caller like everything that shapes content, so an answer that nobody keeps costs nothing. An answer
 * that grows beyond the bound, or breaks off, is not kept.
 */
import type { HeaderList } from '../http2/hpack/field.ts';
import type { StaleAnswers } from '../resilience/stale-answers.ts';
import { type KeptAnswer, keptFields } from './cacheable.ts';
import type { Clock } from './context.ts';
import type { ContentSink } from './http-stream.ts';

export interface RecordingOptions {
  readonly clock: Clock;
  readonly answers: StaleAnswers;
  readonly key: string;
  readonly answer: KeptAnswer;
  readonly isGrpc: boolean;
}

export class StaleRecording implements ContentSink {
  private readonly options: RecordingOptions;
  private readonly next: ContentSink;
  /** null: it is too long. */
  private chunks: Buffer[] | null = [];
  private bytes = 0;

  constructor(options: RecordingOptions, next: ContentSink) {
    this.options = options;
    this.next = next;
  }

  get isClosed(): boolean {
    return this.next.isClosed;
  }

  sendData(buf: Buffer, start: number, end: number, endStream: boolean): void {
    this.keep(buf, start, end);
    this.next.sendData(buf, start, end, endStream);
    if (endStream && !this.options.isGrpc) this.store(null);
  }

  sendTrailers(list: HeaderList): void {
    this.next.sendTrailers(list);
    if (!this.options.isGrpc || list.grpcStatus === '0') this.store(list);
  }

  /** An answer without content. */
  storeEmpty(): void {
    this.store(null);
  }

  private keep(buf: Buffer, start: number, end: number): void {
    if (this.chunks === null) return;
    this.bytes += end - start;
    if (this.bytes > this.options.answers.answerBytesMax) this.chunks = null;
    else if (end > start) this.chunks.push(Buffer.from(buf.subarray(start, end)));
  }

  private store(trailers: HeaderList | null): void {
    const { answers, key, answer, clock } = this.options;
    if (this.chunks === null) return;
    answers.store(key, {
      ...answer,
      body: Buffer.concat(this.chunks),
      trailers: trailers === null ? null : keptFields(trailers),
      storedMs: clock.nowMs,
    });
    this.chunks = null;
  }
}
