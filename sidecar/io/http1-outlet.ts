/**
 * Where content leaves toward an HTTP/1.1 socket: `send` → queue → sink. Bytes go straight on while they are granted;
 * else they wait, bounded by the credit that their source was given. Whoever paces a stream grants it bytes by and by;
 * a tunnel grants nothing until it stands. The source gets its credit when the kernel took the bytes.
 */

import { SendQueue } from '../http2/send-queue.ts';
import type { CreditSource } from '../http2/stream.ts';
import { tick } from './clock.ts';
import { flowBudget } from './flow-budget.ts';
import { ownBytes } from './read-slab.ts';

export interface Http1Sink {
  /** `onWritten` is called once the socket has taken the bytes, in the order of the writes, or when it never will. */
  write(bytes: Buffer, onWritten: () => void): void;
}

export class Http1Outlet {
  source: CreditSource | null = null;
  sink: Http1Sink;
  /** Bytes that may go at once. */
  private granted: number;
  private queue: SendQueue | null = null;
  private whenEmpty: (() => void) | null = null;
  /** Sizes of the writes under way, oldest first. */
  private readonly writing: number[] = [];

  constructor(sink: Http1Sink, granted: number = Number.POSITIVE_INFINITY) {
    this.sink = sink;
    this.granted = granted;
  }

  get queuedBytes(): number {
    return this.queue === null ? 0 : this.queue.bytes;
  }

  send(buf: Buffer, start: number, end: number): void {
    const count = end - start;
    if (count === 0) return;
    if (this.queuedBytes > 0 || count > this.granted) {
      this.queue ??= new SendQueue(flowBudget);
      this.queue.append(buf, start, end);
      this.pump();
      return;
    }
    this.granted -= count;
    this.write(ownBytes(buf, start, end));
  }

  /** Calls `finish` when everything sent before has gone to the sink. */
  end(finish: () => void): void {
    if (this.queuedBytes === 0) finish();
    else this.whenEmpty = finish;
  }

  grant(bytes: number): void {
    this.granted += bytes;
    this.pump();
  }

  /** Nobody will read what waits: its source gets the credit at once. */
  drop(): void {
    const { queuedBytes } = this;
    this.queue?.clear();
    this.whenEmpty = null;
    if (queuedBytes > 0) this.source?.credit(queuedBytes);
  }

  private pump(): void {
    const { queue } = this;
    if (queue === null) return;
    while (queue.bytes > 0 && this.granted > 0) {
      const count = Math.min(queue.bytes, this.granted);
      const bytes = Buffer.allocUnsafe(count);
      queue.moveTo(bytes, 0, count);
      this.granted -= count;
      this.write(bytes);
    }
    if (queue.bytes > 0 || this.whenEmpty === null) return;
    const finish = this.whenEmpty;
    this.whenEmpty = null;
    finish();
  }

  private write(bytes: Buffer): void {
    this.writing.push(bytes.length);
    this.sink.write(bytes, this.onWritten);
  }

  private readonly onWritten = (): void => {
    const count = this.writing.shift() ?? 0;
    tick();
    this.source?.credit(count);
  };
}
