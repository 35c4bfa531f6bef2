/**
 * The sending half of a connection: the connection's window, the fair round of streams that have data waiting, and the
 * account of what is on its way to the socket. The rules:
 *
 * - Data goes straight into the output when nothing is in its way; else it waits in its stream.
 * - While the socket is busy with a write, data waits: what lies in the output can no longer be taken back or shared
 *   out. Headers and control frames still go, since they are bounded by the number of streams.
 * - The source of the bytes is credited when the socket took them, not when they were queued.
 */
import { defaultFrameBytesMax, defaultWindowBytes, Flag, FrameType, frameHeaderBytes } from './constants.ts';
import type { FlowBudget } from './flow-budget.ts';
import { writeFrameHeader } from './frame-writer.ts';
import type { Output } from './output.ts';
import type { Http2Stream } from './stream.ts';

/** Data is put into the output up to this much before the socket has to take it. */
const outputHighWaterBytes = 131_072;
/** The same while memory is half full: what is written to a peer that does not read cannot be taken back. */
const outputLowWaterBytes = 16_384;

export class Sender {
  /** The connection's send window. */
  window = defaultWindowBytes;
  frameBytesMax = defaultFrameBytesMax;
  /** Whether a write is under way. */
  isBlocked = false;
  queuedBytes = 0;
  /** DATA frames so far. */
  framesSent = 0;

  private readonly output: Output;
  private readonly budget: FlowBudget;
  private readonly onTrailersDue: (stream: Http2Stream) => void;
  private readonly onLocalEnd: (stream: Http2Stream) => void;
  /** Streams with data waiting, in turn. */
  private ready: Http2Stream[] = [];
  private readyFirst = 0;
  /** Bytes in the output by stream: [stream, bytes] pairs, flat. */
  private pendingStreams: Http2Stream[] = [];
  private pendingBytes: number[] = [];
  private writingStreams: Http2Stream[] = [];
  private writingBytes: number[] = [];

  constructor(
    output: Output,
    budget: FlowBudget,
    onTrailersDue: (stream: Http2Stream) => void,
    onLocalEnd: (stream: Http2Stream) => void,
  ) {
    this.output = output;
    this.budget = budget;
    this.onTrailersDue = onTrailersDue;
    this.onLocalEnd = onLocalEnd;
  }

  get hasReady(): boolean {
    return this.ready.length > this.readyFirst;
  }

  private get outputBytesMax(): number {
    return this.budget.stopsGrowth ? outputLowWaterBytes : outputHighWaterBytes;
  }

  send(stream: Http2Stream, buf: Buffer, start: number, end: number, endStream: boolean): void {
    const count = end - start;
    if (
      stream.queuedBytes === 0 &&
      (count === 0 ||
        (!this.isBlocked &&
          count <= stream.sendWindow &&
          count <= this.window &&
          this.output.bytes < this.outputBytesMax))
    ) {
      this.write(stream, buf, start, end, endStream);
      if (endStream) this.onLocalEnd(stream);
      return;
    }
    if (count > 0) {
      stream.enqueue(buf, start, end, this.budget);
      this.queuedBytes += count;
    }
    if (endStream) stream.endAfterQueue = true;
    this.schedule(stream);
  }

  /** Lets a stream take part in the next rounds; call it when its window or its queue grew. */
  schedule(stream: Http2Stream): void {
    if (stream.isScheduled || stream.queuedBytes === 0) return;
    stream.isScheduled = true;
    this.ready.push(stream);
  }

  /** Fills the output with waiting data: 16 KiB a stream a round, until windows or the output are full. */
  pump(): void {
    const bytesMax = this.outputBytesMax;
    while (this.readyFirst < this.ready.length && this.window > 0 && this.output.bytes < bytesMax) {
      const stream = this.ready[this.readyFirst]!;
      this.readyFirst++;
      if (this.readyFirst >= 64 && this.readyFirst * 2 > this.ready.length) {
        this.ready = this.ready.slice(this.readyFirst);
        this.readyFirst = 0;
      }
      stream.isScheduled = false;
      const queue = stream.queue;
      if (stream.isDead || queue === null || queue.bytes === 0) continue;
      const count = Math.min(queue.bytes, this.frameBytesMax, stream.sendWindow, this.window);
      // Without window the stream leaves the round; WINDOW_UPDATE brings it back.
      if (count <= 0) continue;
      const out = this.output.reserve(frameHeaderBytes + count);
      const at = this.output.position + frameHeaderBytes;
      queue.moveTo(out, at, count);
      const isLast = queue.bytes === 0;
      const ends = isLast && stream.endAfterQueue;
      writeFrameHeader(out, this.output.position, count, FrameType.data, ends ? Flag.endStream : 0, stream.id);
      this.output.position = at + count;
      this.framesSent++;
      this.queuedBytes -= count;
      this.account(stream, count);
      if (!isLast) this.schedule(stream);
      else if (ends) this.onLocalEnd(stream);
      else if (stream.trailersAfterQueue !== null) this.onTrailersDue(stream);
    }
    if (this.readyFirst === this.ready.length && this.readyFirst > 0) {
      this.ready.length = 0;
      this.readyFirst = 0;
    }
  }

  /** Forgets what a stream had waiting. Nobody will drain it, so its source gets the credit back now. */
  drop(stream: Http2Stream): void {
    if (stream.queue === null) return;
    const bytes = stream.queue.bytes;
    this.queuedBytes -= bytes;
    stream.queue.clear();
    stream.trailersAfterQueue = null;
    stream.endAfterQueue = false;
    if (bytes > 0) stream.source?.credit(bytes);
  }

  /** The connection is gone: neither will anybody drain what was on its way to the socket. */
  abandon(): void {
    this.endWrite();
    this.beginWrite();
    this.endWrite();
  }

  /** The output goes to the socket now. */
  beginWrite(): void {
    const streams = this.writingStreams;
    const bytes = this.writingBytes;
    this.writingStreams = this.pendingStreams;
    this.writingBytes = this.pendingBytes;
    this.pendingStreams = streams;
    this.pendingBytes = bytes;
    this.isBlocked = true;
  }

  /** The socket took it: the sources get their credit. */
  endWrite(): void {
    this.isBlocked = false;
    const streams = this.writingStreams;
    const bytes = this.writingBytes;
    for (let i = 0; i < streams.length; i++) {
      const stream = streams[i]!;
      stream.unwritten--;
      stream.source?.credit(bytes[i]!);
      stream.retire();
    }
    streams.length = 0;
    bytes.length = 0;
  }

  private write(stream: Http2Stream, buf: Buffer, start: number, end: number, endStream: boolean): void {
    const output = this.output;
    let pos = start;
    do {
      const count = Math.min(end - pos, this.frameBytesMax);
      const out = output.reserve(frameHeaderBytes + count);
      const flags = endStream && pos + count === end ? Flag.endStream : 0;
      const at = writeFrameHeader(out, output.position, count, FrameType.data, flags, stream.id);
      if (count <= 48) for (let i = 0; i < count; i++) out[at + i] = buf[pos + i]!;
      else buf.copy(out, at, pos, pos + count);
      output.position = at + count;
      this.framesSent++;
      pos += count;
    } while (pos < end);
    if (end > start) this.account(stream, end - start);
  }

  private account(stream: Http2Stream, count: number): void {
    stream.sendWindow -= count;
    stream.stalledSinceMs = 0;
    this.window -= count;
    const last = this.pendingStreams.length - 1;
    if (last >= 0 && this.pendingStreams[last] === stream) this.pendingBytes[last]! += count;
    else {
      stream.unwritten++;
      this.pendingStreams.push(stream);
      this.pendingBytes.push(count);
    }
  }
}
