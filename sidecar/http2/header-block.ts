/**
 * Puts a header block together that came in several frames (RFC 9113 §6.10). Between HEADERS and the last CONTINUATION
 * nothing else may arrive on the connection, so there is at most one block under way.
 */
import type { ConnectionLimits } from './limits.ts';

export class HeaderBlock {
  /** The stream whose block is under way; 0 when none is. */
  streamId = 0;
  endStream = false;
  length = 0;
  /** How many blocks were begun: tells one from the next. */
  begun = 0;
  private frames = 0;
  private buffer: Buffer | null = null;
  /** Without bounds CONTINUATION frames grow one block for ever (CVE-2024-27316; empty ones, CVE-2026-33871). */
  private readonly framesMax: number;
  private readonly bytesMax: number;

  constructor(limits: ConnectionLimits) {
    this.framesMax = limits.continuationFramesMax;
    this.bytesMax = limits.headerBlockBytesMax;
  }

  begin(streamId: number, endStream: boolean, buf: Buffer, start: number, end: number): boolean {
    this.streamId = streamId;
    this.endStream = endStream;
    this.length = 0;
    this.frames = 0;
    this.begun++;
    return this.append(buf, start, end);
  }

  /** False when the block is past its bounds. */
  addContinuation(buf: Buffer, start: number, end: number): boolean {
    this.frames++;
    return this.frames <= this.framesMax && this.append(buf, start, end);
  }

  /** The whole block; it lies in [0, length). */
  finish(): Buffer {
    const whole = this.buffer ?? Buffer.alloc(0);
    this.buffer = null;
    this.streamId = 0;
    return whole;
  }

  private append(buf: Buffer, start: number, end: number): boolean {
    const total = this.length + end - start;
    if (total > this.bytesMax) return false;
    if (this.buffer === null || this.buffer.length < total) {
      const grown = Buffer.allocUnsafeSlow(Math.max(total, (this.buffer?.length ?? 8192) * 2));
      this.buffer?.copy(grown, 0, 0, this.length);
      this.buffer = grown;
    }
    buf.copy(this.buffer, this.length, start, end);
    this.length = total;
    return true;
  }
}
