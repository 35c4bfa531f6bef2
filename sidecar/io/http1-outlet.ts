/**
 * Where content leaves toward an HTTP/1.1 socket: `send` → queue → sink. Bytes go straight on while they are granted;
 * else they wait, bounded by the credit that their source was given. Whoever paces a stream grants it bytes by and by;
 * a tunnel grants nothing until it stands. The source gets its credit when the kernel took the bytes.
 */

import type { Queued } from '../http2/flow-budget.ts';
import { SendQueue } from '../http2/send-queue.ts';
import type { CreditSource } from '../http2/stream.ts';
import { tick } from './clock.ts';
import { flowBudget } from './flow-budget.ts';
import { http1Holding } from './http1-holding.ts';
import { ownBytes } from './read-slab.ts';

export interface Http1Sink {
  /** `onWritten` is called once the socket has taken the bytes, in the order of the writes, or when it never will. */
  write(bytes: Buffer, onWritten: () => void): void;
}

/** Whose content it is. */
export interface OutletOwner {
  /** Its reader takes nothing, and the memory is needed: ends the stream toward both sides. */
  letGo(): void;
}

export class Http1Outlet implements Queued {
  source: CreditSource | null = null;
  sink: Http1Sink;
  private readonly owner: OutletOwner;
  /** Bytes that may go at once. */
  private granted: number;
  private queue: SendQueue | null = null;
  private whenEmpty: (() => void) | null = null;
  /** Sizes of the writes under way, oldest first, and their sum, which the budget knows of. */
  private readonly writing: number[] = [];
  private writingBytes = 0;

  constructor(sink: Http1Sink, owner: OutletOwner, granted: number = Number.POSITIVE_INFINITY) {
    this.sink = sink;
    this.owner = owner;
    this.granted = granted;
  }

  get pinnedBytes(): number {
    return this.writingBytes + (this.queue?.pinnedBytes ?? 0);
  }

  letGo(): void {
    this.owner.letGo();
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

  /** Nobody will read what waits or is on its way: its source gets the credit at once. */
  drop(): void {
    const bytes = this.queuedBytes + this.writingBytes;
    this.queue?.clear();
    this.whenEmpty = null;
    this.writing.length = 0;
    this.settle(this.writingBytes);
    if (bytes > 0) this.source?.credit(bytes);
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
    if (this.writingBytes === 0) http1Holding.add(this);
    this.writingBytes += bytes.length;
    flowBudget.charge(bytes.length);
    this.writing.push(bytes.length);
    this.sink.write(bytes, this.onWritten);
  }

  private readonly onWritten = (): void => {
    const count = this.writing.shift();
    // Dropped meanwhile.
    if (count === undefined) return;
    tick();
    this.settle(count);
    this.source?.credit(count);
  };

  private settle(bytes: number): void {
    if (bytes === 0) return;
    this.writingBytes -= bytes;
    flowBudget.release(bytes);
    if (this.writingBytes === 0) http1Holding.delete(this);
  }
}
