/**
 * The receiving half of a connection's flow control: what the peer may still send, on the whole connection and on each
 * stream, and the credit that goes back. A stream's credit goes back when the far side's socket took the bytes; that is
 * what slows a source down. The connection's own window never stands in the way of one stream because another one's
 * reader is slow: what a stream holds is lent to the connection again, since the stream's own window bounds it already,
 * and the loan is paid back as the stream drains. Only when memory is tight nothing is lent.
 *
 *   connection   window (outstanding) + toReturn + held − lent = its size
 *   stream       receiveWindow (outstanding) + toReturn + held = its size
 *
 * A stream's window doubles, up to a cap, when the source had used it up and everything was drained: then it was the
 * window that made the source wait and not the reader (never by PING probes: servers count those as an attack).
 */
import { defaultWindowBytes, SettingId } from './constants.ts';
import { isWorthUpdating } from './flow.ts';
import type { FlowBudget } from './flow-budget.ts';
import { writeSettings, writeWindowUpdate } from './frame-writer.ts';
import type { ConnectionLimits } from './limits.ts';
import type { Output } from './output.ts';
import type { Http2Stream } from './stream.ts';
import type { Waits } from './waits.ts';

/** Less than a frame left: the source waits for us. */
const exhaustedBytes = 16_384;
/** What streams begin with while memory is half full: a frame. */
const smallStreamWindowBytes = 16_384;

export class Receiver {
  /** Outstanding credit of the connection. */
  window = defaultWindowBytes;
  /** Received and not yet drained, over all streams. */
  held = 0;
  /** Of what is held: returned to the connection all the same. */
  lent = 0;
  /** Announced in our latest SETTINGS. */
  initialWindowBytes: number;
  /** What a new stream of the peer really has: SETTINGS hold from their acknowledgement on. */
  effectiveWindowBytes: number;
  private toReturn = 0;
  /** By how much the windows of open streams have grown together. */
  private grown = 0;
  private readonly output: Output;
  private readonly limits: ConnectionLimits;
  private readonly budget: FlowBudget;
  private readonly connectionWindowBytes: number;

  constructor(output: Output, limits: ConnectionLimits, budget: FlowBudget) {
    this.output = output;
    this.limits = limits;
    this.budget = budget;
    // The RFC has no less for a connection.
    this.connectionWindowBytes = budget.stopsGrowth ? defaultWindowBytes : limits.connectionWindowBytes;
    this.initialWindowBytes = this.initialWindow();
    this.effectiveWindowBytes = Math.max(defaultWindowBytes, this.initialWindowBytes);
  }

  /** Announces the connection's window, which has no setting of its own (§6.9.2). */
  open(): void {
    const more = this.connectionWindowBytes - this.window;
    if (more <= 0) return;
    this.window += more;
    writeWindowUpdate(this.output, 0, more);
  }

  /**
   * Tells the peer what its streams may have from now on, when memory has come to be half full or is well again: the
   * next streams begin with it, and those that are open are cut or get more by the difference (§6.9.2). Returns whether
   * a frame was written. At most one change is under way.
   */
  adapt(waits: Waits): boolean {
    const wanted = this.initialWindow();
    if (wanted === this.initialWindowBytes || !waits.isSettingsAcked) return false;
    this.initialWindowBytes = wanted;
    writeSettings(this.output, [[SettingId.initialWindowSize, wanted]]);
    waits.onSettingsSent();
    return true;
  }

  /** The peer knows our SETTINGS now: its streams' windows have moved (§6.9.2), and may be below zero. */
  onSettingsAck(streams: Iterable<Http2Stream>): void {
    const delta = this.initialWindowBytes - this.effectiveWindowBytes;
    if (delta === 0) return;
    this.effectiveWindowBytes = this.initialWindowBytes;
    for (const stream of streams) {
      stream.receiveWindow += delta;
      stream.windowBytes += delta;
    }
  }

  /** False when the peer sent more than it may. */
  take(bytes: number): boolean {
    this.window -= bytes;
    return this.window >= 0;
  }

  /** False when the peer sent more than the stream may get. */
  takeOnStream(stream: Http2Stream, bytes: number): boolean {
    stream.receiveWindow -= bytes;
    if (stream.receiveWindow < exhaustedBytes) stream.isExhausted = true;
    return stream.receiveWindow >= 0;
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

  /** Bytes that a stream answers for until they are drained. Returns whether a frame was written. */
  hold(stream: Http2Stream, bytes: number): boolean {
    stream.held += bytes;
    this.held += bytes;
    if (this.budget.isTight) return false;
    this.lent += bytes;
    return this.giveBack(bytes);
  }

  /** Moves credit from held to returned. Returns whether a frame was written. */
  credit(stream: Http2Stream, bytes: number): boolean {
    const count = Math.min(bytes, stream.held);
    if (count <= 0) return false;
    stream.held -= count;
    this.held -= count;
    const repaid = Math.min(this.lent, count);
    this.lent -= repaid;
    let wrote = count > repaid && this.giveBack(count - repaid);
    // After END_STREAM the peer has no use for credit on the stream.
    if (stream.remoteClosed || stream.isDead) return wrote;
    stream.toReturn += count;
    if (isWorthUpdating(stream.toReturn, stream.windowBytes)) {
      this.resize(stream);
      if (stream.toReturn > 0) {
        writeWindowUpdate(this.output, stream.id, stream.toReturn);
        stream.receiveWindow += stream.toReturn;
        stream.toReturn = 0;
        wrote = true;
      }
    }
    return wrote;
  }

  /** The stream is gone; its share of the growth is for others. */
  forget(stream: Http2Stream): void {
    this.grown -= stream.windowGrowth;
    stream.windowGrowth = 0;
  }

  private initialWindow(): number {
    const normal = this.limits.streamWindowBytes;
    const small = Math.min(smallStreamWindowBytes, normal);
    if (this.budget.stopsGrowth) return small;
    return this.initialWindowBytes === small && !this.budget.isWell ? small : normal;
  }

  /** Grows or shrinks a stream's window by what is about to be announced. */
  private resize(stream: Http2Stream): void {
    const max = Math.min(stream.windowBytesMax, this.limits.streamWindowBytesMax);
    const excess = this.budget.isTight ? stream.windowGrowth : stream.windowBytes - max;
    if (excess > 0) this.change(stream, -Math.min(excess, stream.toReturn));
    else if (stream.isExhausted && stream.held === 0 && !this.budget.stopsGrowth) {
      const room = this.limits.windowGrowthBytesMax - this.grown;
      const growth = Math.min(stream.windowBytes, max - stream.windowBytes, room);
      if (growth > 0) {
        this.change(stream, growth);
        this.budget.windowGrowths++;
      }
    }
    stream.isExhausted = false;
  }

  private change(stream: Http2Stream, bytes: number): void {
    stream.windowBytes += bytes;
    stream.toReturn += bytes;
    const growth = Math.max(0, stream.windowGrowth + bytes);
    this.grown += growth - stream.windowGrowth;
    stream.windowGrowth = growth;
  }
}
