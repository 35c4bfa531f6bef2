/**
 * Cuts a stream of bytes into frames, wherever the reads happened to split it (RFC 9113 §4.1). A frame that lies whole
 * in the read buffer is handed over in place; other frames are put together in a buffer of their own, of at most one
 * frame. DATA is never put together: its parts go on as they come, so a large frame costs neither a copy nor a wait.
 */
import { defaultFrameBytesMax, ErrorCode, Flag, FrameType, frameHeaderBytes } from './constants.ts';

export interface FrameSink {
  /** A whole frame other than DATA; the payload is buf[start, end), valid only during the call. */
  onFrame(type: number, flags: number, streamId: number, buf: Buffer, start: number, end: number): void;
  /**
   * Part of a DATA frame: content buf[start, end), `flowBytes` of flow control (padding included), `last` with the
   * frame's end.
   */
  onData(
    streamId: number,
    flags: number,
    buf: Buffer,
    start: number,
    end: number,
    flowBytes: number,
    last: boolean,
  ): void;
  onFrameError(code: number, detail: string): void;
  /** False once the connection is beyond reading: the rest of the input is dropped. */
  readonly isReading: boolean;
}

export class FrameReader {
  private readonly sink: FrameSink;
  /** The frame header while it is incomplete. */
  private readonly head = Buffer.allocUnsafe(frameHeaderBytes);
  private headFill = 0;
  /** The frame under way, once its header is known. */
  private inFrame = false;
  private type = 0;
  private flags = 0;
  private streamId = 0;
  /** Payload bytes still to come. */
  private remaining = 0;
  /** DATA: padding still to come at the end of the frame; -1 while the pad length byte is unread. */
  private padding = 0;
  /** Other frames: what has come so far. */
  private partial: Buffer | null = null;
  private partialFill = 0;
  /** Frames (other than DATA) that came in parts, so far. */
  private partials = 0;

  constructor(sink: FrameSink) {
    this.sink = sink;
  }

  /** Tells apart the frames that came in parts, while one is under way; else 0. DATA may take its time. */
  get unfinished(): number {
    return this.headFill > 0 || (this.inFrame && this.type !== FrameType.data) ? this.partials : 0;
  }

  push(buf: Buffer, start: number, end: number): void {
    const sink = this.sink;
    let pos = start;
    while (sink.isReading) {
      if (!this.inFrame) {
        let head = buf;
        let at = pos;
        if (this.headFill === 0 && end - pos >= frameHeaderBytes) {
          pos += frameHeaderBytes;
        } else {
          if (this.headFill === 0 && pos < end) this.partials++;
          const missing = Math.min(frameHeaderBytes - this.headFill, end - pos);
          buf.copy(this.head, this.headFill, pos, pos + missing);
          this.headFill += missing;
          pos += missing;
          if (this.headFill < frameHeaderBytes) return;
          this.headFill = 0;
          head = this.head;
          at = 0;
        }
        const length = (head[at]! << 16) | (head[at + 1]! << 8) | head[at + 2]!;
        if (length > defaultFrameBytesMax) {
          sink.onFrameError(ErrorCode.frameSizeError, `frame of ${length} bytes, ${defaultFrameBytesMax} allowed`);
          return;
        }
        this.type = head[at + 3]!;
        this.flags = head[at + 4]!;
        // The reserved bit is ignored (§4.1).
        this.streamId = ((head[at + 5]! & 0x7f) << 24) | (head[at + 6]! << 16) | (head[at + 7]! << 8) | head[at + 8]!;
        this.remaining = length;
        this.inFrame = true;
        if (this.type === FrameType.data) {
          this.padding = 0;
          if ((this.flags & Flag.padded) !== 0) {
            if (length === 0) {
              sink.onFrameError(ErrorCode.frameSizeError, 'padded DATA without a pad length');
              return;
            }
            this.padding = -1;
          }
        }
      }
      if (this.type === FrameType.data) {
        pos = this.pushData(buf, pos, end);
        if (this.inFrame) return;
        continue;
      }
      const available = end - pos;
      if (this.partialFill === 0 && available >= this.remaining) {
        const payload = pos;
        pos += this.remaining;
        this.inFrame = false;
        sink.onFrame(this.type, this.flags, this.streamId, buf, payload, pos);
        continue;
      }
      const taken = Math.min(available, this.remaining);
      if (this.partial === null) {
        this.partial = Buffer.allocUnsafe(defaultFrameBytesMax);
        this.partials++;
      }
      buf.copy(this.partial, this.partialFill, pos, pos + taken);
      this.partialFill += taken;
      this.remaining -= taken;
      pos += taken;
      if (this.remaining > 0) return;
      const whole = this.partial;
      const length = this.partialFill;
      this.partial = null;
      this.partialFill = 0;
      this.inFrame = false;
      sink.onFrame(this.type, this.flags, this.streamId, whole, 0, length);
    }
  }

  /** Hands on what there is of a DATA frame and returns the new position. */
  private pushData(buf: Buffer, from: number, end: number): number {
    let pos = from;
    let flowBytes = 0;
    if (this.padding < 0) {
      if (pos === end) return pos;
      this.padding = buf[pos]!;
      pos++;
      this.remaining--;
      flowBytes = 1;
      if (this.padding > this.remaining) {
        this.sink.onFrameError(ErrorCode.protocolError, 'padding longer than the frame');
        return pos;
      }
    }
    const taken = Math.min(end - pos, this.remaining);
    const contentLeft = this.remaining - this.padding;
    const content = Math.min(taken, contentLeft);
    this.remaining -= taken;
    // What is left of the frame is padding only, and less of it.
    if (this.padding > this.remaining) this.padding = this.remaining;
    const last = this.remaining === 0;
    if (last) this.inFrame = false;
    if (last || taken > 0 || flowBytes > 0) {
      this.sink.onData(this.streamId, this.flags, buf, pos, pos + content, taken + flowBytes, last);
    }
    return pos + taken;
  }
}
