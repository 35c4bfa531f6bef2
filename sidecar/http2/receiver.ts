/**
 * The receiving half of a connection's flow control: what the peer may still send on the whole connection, and the
 * credit that went back (see stream.ts for the same arithmetic per stream).
 */
import { defaultWindowBytes } from './constants.ts';
import { isWorthUpdating } from './flow.ts';
import { writeWindowUpdate } from './frame-writer.ts';
import type { Output } from './output.ts';
import type { Http2Stream } from './stream.ts';

export class Receiver {
  /** Outstanding credit of the connection. */
  window = defaultWindowBytes;
  /** Received and not yet drained, over all streams. */
  held = 0;
  private toReturn = 0;
  private readonly output: Output;
  private readonly connectionWindowBytes: number;
  private readonly streamWindowBytes: number;

  constructor(output: Output, connectionWindowBytes: number, streamWindowBytes: number) {
    this.output = output;
    this.connectionWindowBytes = connectionWindowBytes;
    this.streamWindowBytes = streamWindowBytes;
  }

  /** Announces the connection's window, which has no setting of its own (§6.9.2). */
  open(): void {
    const more = this.connectionWindowBytes - this.window;
    if (more <= 0) return;
    this.window += more;
    writeWindowUpdate(this.output, 0, more);
  }

  /** False when the peer sent more than it may. */
  take(bytes: number): boolean {
    this.window -= bytes;
    return this.window >= 0;
  }

  /** Credit for bytes that never reached a stream: padding, closed and unknown streams. Returns whether it wrote. */
  giveBack(bytes: number): boolean {
    this.toReturn += bytes;
    if (!isWorthUpdating(this.toReturn, this.connectionWindowBytes)) return false;
    writeWindowUpdate(this.output, 0, this.toReturn);
    this.window += this.toReturn;
    this.toReturn = 0;
    return true;
  }

  hold(stream: Http2Stream, bytes: number): void {
    stream.held += bytes;
    this.held += bytes;
  }

  /** Moves credit from held to returned. Returns whether a frame was written. */
  credit(stream: Http2Stream, bytes: number): boolean {
    const count = Math.min(bytes, stream.held);
    if (count <= 0) return false;
    stream.held -= count;
    this.held -= count;
    let wrote = this.giveBack(count);
    // After END_STREAM the peer has no use for credit on the stream.
    if (stream.remoteClosed || stream.isDead) return wrote;
    stream.toReturn += count;
    if (isWorthUpdating(stream.toReturn, this.streamWindowBytes)) {
      writeWindowUpdate(this.output, stream.id, stream.toReturn);
      stream.receiveWindow += stream.toReturn;
      stream.toReturn = 0;
      wrote = true;
    }
    return wrote;
  }
}
