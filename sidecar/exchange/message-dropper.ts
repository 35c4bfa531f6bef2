/**
 * Drops whole gRPC messages of one direction of a stream when its reader is slow, for streams of which only some messages
 * matter: positions, prices, progress. It stands in front of the pacer and takes what the source sends at once, so that
 * the source is never slowed down; what the reader has not taken waits here, as whole messages, and when there is no room
 * for one more the oldest or the newest goes. What has begun to go on goes on whole, so framing stays as it was.
 *
 *   source ──▶ waiting messages (bounded by number and bytes) ──▶ at most 16 KiB, or one message, not yet drained ──▶
 *
 * A message that is larger than all of the room never waits: unless the policy has it dropped, it goes on as it comes and
 * slows its source down. While the memory of the process is tight there is room for one message, and at its bound for none.
 *
 * This loses data, which nothing else between two streams does: only a policy that asks for it puts one there. In shadow
 * everything passes, and what is counted is what of it would have been dropped; less than in earnest, since the slow
 * reader slows the source down there.
 */
import type { FlowBudget } from '../http2/flow-budget.ts';
import type { HeaderList } from '../http2/hpack/field.ts';
import { SendQueue } from '../http2/send-queue.ts';
import type { CreditSource } from '../http2/stream.ts';
import type { OverflowSettings } from '../policy/compiled.ts';
import type { ContentSink } from './http-stream.ts';
import { DropCause, type DropCounts } from './message-drops.ts';

export interface MessageDropperOptions {
  readonly budget: FlowBudget;
  readonly settings: OverflowSettings;
  readonly shadow: boolean;
  readonly counts: DropCounts;
  /** Gets its credit when the bytes have come here: they are bounded here, and it must not wait for the reader. */
  readonly source: CreditSource;
  readonly sink: ContentSink;
}

/** What may be on its way to the reader's socket: little, since it can be dropped no longer. */
const undrainedBytesMax = 16_384;
/** A flag and the length, in front of each message (gRPC over HTTP/2, "Length-Prefixed-Message"). */
const prefixBytes = 5;
const nothing = Buffer.alloc(0);

/** What becomes of the message that is being read. */
const Fate = { waits: 0, dropped: 1, passes: 2 } as const;

export class MessageDropper implements ContentSink, CreditSource {
  messagesDropped = 0;
  /** What stands behind it may be made later. */
  sink: ContentSink;
  private readonly options: MessageDropperOptions;
  /** null in shadow, where nothing waits. */
  private readonly queue: SendQueue | null;
  /** Sizes of the messages that wait, prefix included; the last may not be whole yet. */
  private sizes: number[] = [];
  private first = 0;
  private bytes = 0;
  private readonly prefix = Buffer.alloc(prefixBytes);
  private prefixSeen = 0;
  /** Content still to come of the message that is being read. */
  private left = 0;
  private fate: number = Fate.waits;
  private undrainedBytes = 0;
  /** Of them, what passed: its source gets the credit as the reader takes it. */
  private owedBytes = 0;
  private ends = false;
  private trailers: HeaderList | null = null;

  constructor(options: MessageDropperOptions) {
    this.options = options;
    this.sink = options.sink;
    this.queue = options.shadow ? null : new SendQueue(options.budget);
  }

  /** Prefixes included. */
  get waitingBytes(): number {
    return this.bytes;
  }

  get waitingMessages(): number {
    return this.sizes.length - this.first;
  }

  /** What memory that takes. */
  get pinnedBytes(): number {
    return this.queue === null ? 0 : this.queue.pinnedBytes;
  }

  get isClosed(): boolean {
    return this.sink.isClosed;
  }

  sendData(buf: Buffer, start: number, end: number, endStream: boolean): void {
    const owedBefore = this.owedBytes;
    let pos = start;
    while (pos < end) pos = this.left > 0 ? this.readContent(buf, pos, end) : this.readPrefix(buf, pos);
    if (this.queue === null) return this.sink.sendData(buf, start, end, endStream);
    if (endStream) this.finish();
    const taken = end - start - (this.owedBytes - owedBefore);
    if (taken > 0) this.options.source.credit(taken);
    this.forward();
  }

  sendTrailers(list: HeaderList): void {
    if (this.queue === null) return this.sink.sendTrailers(list);
    this.trailers = list;
    this.finish();
    this.forward();
  }

  /** The reader took so many bytes. */
  credit(bytes: number): void {
    this.undrainedBytes = Math.max(0, this.undrainedBytes - bytes);
    const back = this.queue === null ? bytes : Math.min(this.owedBytes, bytes);
    if (this.queue !== null) this.owedBytes -= back;
    if (back > 0) this.options.source.credit(back);
    this.forward();
  }

  /** The stream is over: nothing more goes on. */
  stop(): void {
    this.queue?.clear();
    this.sizes.length = 0;
    this.first = 0;
    this.bytes = 0;
    this.ends = false;
    this.trailers = null;
  }

  private readPrefix(buf: Buffer, pos: number): number {
    this.prefix[this.prefixSeen++] = buf[pos]!;
    if (this.prefixSeen === prefixBytes) {
      this.prefixSeen = 0;
      this.begin(this.prefix.readUInt32BE(1));
    }
    return pos + 1;
  }

  private begin(length: number): void {
    const size = prefixBytes + length;
    this.fate = this.fateOf(length);
    this.left = length;
    if (this.fate === Fate.waits) {
      this.sizes.push(size);
      this.bytes += size;
      this.queue?.append(this.prefix, 0, prefixBytes);
    } else if (this.fate === Fate.passes) {
      this.undrainedBytes += prefixBytes;
      if (this.queue !== null) this.sink.sendData(this.prefix, 0, prefixBytes, false);
    }
  }

  private readContent(buf: Buffer, pos: number, end: number): number {
    const count = Math.min(this.left, end - pos);
    if (this.fate === Fate.passes) {
      this.undrainedBytes += count;
      if (this.queue !== null) {
        this.owedBytes += count;
        this.sink.sendData(buf, pos, pos + count, false);
      }
    } else if (this.fate === Fate.waits) this.keep(buf, pos, pos + count);
    this.left -= count;
    return pos + count;
  }

  private keep(buf: Buffer, start: number, end: number): void {
    const { queue } = this;
    if (queue === null) return;
    if (!this.options.budget.isFull) return queue.append(buf, start, end);
    const size = this.sizes.pop()!;
    queue.dropLast(size - this.left);
    this.bytes -= size;
    this.fate = Fate.dropped;
    this.count(DropCause.memory);
  }

  /** Of a message that begins, of which nothing went anywhere yet. */
  private fateOf(length: number): number {
    const { settings, budget } = this.options;
    const { bytesMax, dropsOldest } = settings;
    // What was here before may go on now, and then nobody needs to give way.
    this.forward();
    const messagesMax = budget.isTight ? 1 : settings.messagesMax;
    const cause = budget.isTight ? DropCause.memory : dropsOldest ? DropCause.oldest : DropCause.newest;
    while (this.waitingMessages > 0) {
      const waitingContent = this.bytes - prefixBytes * this.waitingMessages;
      if (this.waitingMessages < messagesMax && waitingContent + length <= bytesMax) break;
      this.count(cause);
      if (!dropsOldest) return Fate.dropped;
      this.queue?.skip(this.sizes[this.first]!);
      this.leaveFirst();
    }
    return length > bytesMax ? Fate.passes : Fate.waits;
  }

  private count(cause: number): void {
    this.messagesDropped++;
    this.options.counts.count(cause);
  }

  /** The source has ended. Half a message goes on as it is, so that the reader sees what the source did. */
  private finish(): void {
    this.ends = true;
    if (this.prefixSeen > 0) {
      this.queue?.append(this.prefix, 0, this.prefixSeen);
      this.sizes.push(this.prefixSeen);
      this.bytes += this.prefixSeen;
      this.prefixSeen = 0;
    } else if (this.left > 0 && this.fate === Fate.waits) {
      this.sizes[this.sizes.length - 1]! -= this.left;
      this.bytes -= this.left;
    }
    this.left = 0;
  }

  private forward(): void {
    const { sink, queue } = this;
    if (sink.isClosed) return this.stop();
    while (this.wholeCount() > 0) {
      const size = this.sizes[this.first]!;
      if (this.undrainedBytes > 0 && this.undrainedBytes + size > undrainedBytesMax) return;
      this.leaveFirst();
      this.undrainedBytes += size;
      if (queue === null) continue;
      const bytes = Buffer.allocUnsafe(size);
      queue.moveTo(bytes, 0, size);
      const isLast = this.ends && this.trailers === null && this.waitingMessages === 0;
      if (isLast) this.ends = false;
      sink.sendData(bytes, 0, size, isLast);
      // What was sent may have ended the stream from the other side.
      if (sink.isClosed) return this.stop();
    }
    if (!this.ends) return;
    this.ends = false;
    const { trailers } = this;
    this.trailers = null;
    if (trailers !== null) sink.sendTrailers(trailers);
    else sink.sendData(nothing, 0, 0, true);
  }

  private wholeCount(): number {
    return this.waitingMessages - (this.left > 0 && this.fate === Fate.waits ? 1 : 0);
  }

  private leaveFirst(): void {
    this.bytes -= this.sizes[this.first]!;
    this.first++;
    if (this.first === this.sizes.length) {
      this.sizes.length = 0;
      this.first = 0;
    } else if (this.first >= 1024) {
      this.sizes = this.sizes.slice(this.first);
      this.first = 0;
    }
  }
}
