/**
 * One HTTP/2 stream, of either role (RFC 9113 §5.1). Its state is two bits, one for each direction:
 *
 *        both open ── we end ──▶ localClosed ── they end ──▶ closed
 *            └───── they end ──▶ remoteClosed ── we end ──▶ closed
 *
 * and a reset by either side closes both at once. The stream keeps its own two windows; the arithmetic of credit is:
 * granted = outstanding (the peer may still send it) + held (received, not yet given back) + toReturn (given back, not
 * yet announced). Only `credit` moves bytes out of `held`, and it is called when the far side's socket took them.
 *
 * A stream is used again for another one (see Pool). It may be once all hold on it has ended: its handler has released
 * it, the connection has taken it off its list, every byte it received was credited and every byte it sent is with the
 * socket. One that was reset, or never released, is left to the collector.
 */

import { Pool } from '../../proto/kernel/pool.ts';
import { ErrorCode, windowBytesMax } from './constants.ts';
import type { FlowBudget } from './flow-budget.ts';
import type { HeaderList } from './hpack/field.ts';
import { SendQueue } from './send-queue.ts';

/** Whoever produced bytes that a stream sends on: it gets the credit back once they are drained. */
export interface CreditSource {
  credit(bytes: number): void;
  /** gRPC messages on the way to the stream that were dropped (in shadow: would be), since it was slow. */
  readonly messagesDropped?: number;
  /** Bytes that it holds for the stream, beside those that the stream has. */
  readonly pinnedBytes?: number;
}

/** Why a stream ended early. */
export const ResetCause = {
  /** The peer sent RST_STREAM. */
  peer: 0,
  /** The peer went away (GOAWAY) without having looked at the stream: safe to send again. */
  unprocessed: 1,
  /** The connection is gone. */
  connection: 2,
  /** The peer broke the protocol on this stream; we have reset it. */
  protocol: 3,
  /** There never was a connection. */
  notConnected: 4,
  /** We ended it: its reader stalled for too long, or memory was needed. */
  flowControl: 5,
} as const;

export interface StreamHandler {
  /** When its request is given up, monotonic ms; 0 = never. A caller who resets it then is in its right. */
  readonly deadlineMs?: number;
  /** A response head; 1xx ones come first, with endStream false. Only for streams that we opened. */
  onHeaders(list: HeaderList, endStream: boolean): void;
  /** Content buf[start, end), valid only during the call. Whoever takes it owes `stream.credit(end - start)`. */
  onData(buf: Buffer, start: number, end: number, endStream: boolean): void;
  /** Trailers; the peer's side is closed. */
  onTrailers(list: HeaderList): void;
  /** The stream is over in both directions. Not called after our own `reset`. */
  onReset(code: number, cause: number): void;
}

/** What a stream needs of its connection. */
export interface StreamOwner {
  sendHeaders(stream: Http2Stream, list: HeaderList, endStream: boolean): void;
  sendData(stream: Http2Stream, buf: Buffer, start: number, end: number, endStream: boolean): void;
  sendTrailers(stream: Http2Stream, list: HeaderList): void;
  resetStream(stream: Http2Stream, code: number): void;
  creditStream(stream: Http2Stream, bytes: number): void;
}

/** Two and a half MB of streams that wait for their next use. */
export const idleStreamsMax = 8192;
export const idleStreams = new Pool<Http2Stream>(idleStreamsMax);

/** A stream that is new, or as new. */
export function openStream(id: number, owner: StreamOwner, sendWindow: number, receiveWindow: number): Http2Stream {
  const used = idleStreams.take();
  if (used === undefined) return new Http2Stream(id, owner, sendWindow, receiveWindow);
  used.open(id, owner, sendWindow, receiveWindow);
  return used;
}

export class Http2Stream implements CreditSource {
  id: number;
  owner: StreamOwner;
  handler: StreamHandler | null = null;
  /** Gets the credit for what this stream sends. */
  source: CreditSource | null = null;

  localClosed = false;
  remoteClosed = false;
  /** Reset, or its connection is gone. */
  isDead = false;
  /** Its connection finds it by its id. */
  isListed = false;
  /** Its handler has done with it. */
  private isReleased = false;
  /** So many entries of its bytes are on their way to the socket. */
  unwritten = 0;
  /** Informational heads received. */
  informationalHeads = 0;
  /** A response head of ours went out. */
  isAnswered = false;
  /** When it was opened, and how long its head may have waited for us before that (whole ms, int32: see guard.ts). */
  openedMs = 0;
  openedLateMs = 0;
  /** A final response head (ours to send or theirs to come) has passed. */
  headDone = false;

  /** How much we may send; negative after the peer shrank its windows (§6.9.2). */
  sendWindow: number;
  queue: SendQueue | null = null;
  /** Since when it has data and may not send it, as ticks see it; 0 = it flows. Then for how long in all, ms. */
  stalledSinceMs = 0;
  stalledMs = 0;
  endAfterQueue = false;
  trailersAfterQueue: HeaderList | null = null;
  /** Whether it stands in the connection's round-robin. */
  isScheduled = false;

  /** How much the peer may still send. */
  receiveWindow: number;
  /** The size of that window, of it by growth, and the policy's bound. */
  windowBytes: number;
  windowGrowth = 0;
  windowBytesMax = windowBytesMax;
  /** The peer has used it up since it was last announced. */
  isExhausted = false;
  held = 0;
  toReturn = 0;

  /** Ours: how the answer is framed depends on the request (RFC 9110 §6.4.1). */
  method = '';
  /** Ours to send: once our side is complete, the peer hears that the rest of its side is not wanted. */
  resetAfterEnd = false;

  /** content-length announced by the peer, -1 if none, and what came so far (§8.1.1). */
  contentLength = -1;
  contentReceived = 0;

  constructor(id: number, owner: StreamOwner, sendWindow: number, receiveWindow: number) {
    this.id = id;
    this.owner = owner;
    this.sendWindow = sendWindow;
    this.receiveWindow = receiveWindow;
    this.windowBytes = receiveWindow;
  }

  open(id: number, owner: StreamOwner, sendWindow: number, receiveWindow: number): void {
    this.id = id;
    this.owner = owner;
    this.sendWindow = sendWindow;
    this.receiveWindow = receiveWindow;
    this.windowBytes = receiveWindow;
    this.isDead = false;
  }

  /** Whoever had it, as handler and otherwise, has done with it: both sides have ended, and it hears nothing more. */
  release(): void {
    if (this.isDead) return;
    this.handler = null;
    this.isReleased = true;
    this.retire();
  }

  /** Makes it ready for its next use, if nobody holds it any more. Call it, last, wherever a hold ends. */
  retire(): void {
    if (!this.isReleased || this.isListed || this.isDead) return;
    if (this.held > 0 || this.unwritten > 0 || this.isScheduled) return;
    this.clear();
    idleStreams.give(this);
  }

  get isClosed(): boolean {
    return this.isDead || (this.localClosed && this.remoteClosed);
  }

  get queuedBytes(): number {
    return this.queue === null ? 0 : this.queue.bytes;
  }

  /** How much content this answer to our request says it has, -1 = it does not say (RFC 9110 §6.4.1, §9.3.6). */
  announcedContent(list: HeaderList): number {
    if (this.method === 'HEAD' || list.status === 204 || list.status === 304) return 0;
    return this.method === 'CONNECT' && list.status < 300 ? -1 : list.contentLength;
  }

  sendHeaders(list: HeaderList, endStream: boolean): void {
    this.owner.sendHeaders(this, list, endStream);
  }

  /** Sends or queues content; the bytes are copied, so the caller's buffer is free when this returns. */
  sendData(buf: Buffer, start: number, end: number, endStream: boolean): void {
    this.owner.sendData(this, buf, start, end, endStream);
  }

  sendTrailers(list: HeaderList): void {
    this.owner.sendTrailers(this, list);
  }

  /**
   * Ends the stream at once; what is queued is lost. NO_ERROR says that the answer is complete and the rest of the
   * request unwanted (RFC 9113 §8.1): it waits until the answer is out.
   */
  reset(code: number): void {
    if (code === ErrorCode.noError && !this.localClosed) this.resetAfterEnd = true;
    else this.owner.resetStream(this, code);
  }

  limitWindow(bytes: number): void {
    this.windowBytesMax = bytes;
  }

  credit(bytes: number): void {
    this.owner.creditStream(this, bytes);
    this.retire();
  }

  enqueue(buf: Buffer, start: number, end: number, budget: FlowBudget): void {
    this.queue ??= new SendQueue(budget);
    this.queue.append(buf, start, end);
  }

  /** As `open` finds it. It is dead until then: whoever held on to it after all does no harm. */
  private clear(): void {
    this.handler = null;
    this.source = null;
    this.localClosed = false;
    this.remoteClosed = false;
    this.isDead = true;
    this.isReleased = false;
    this.informationalHeads = 0;
    this.isAnswered = false;
    this.openedMs = 0;
    this.openedLateMs = 0;
    this.headDone = false;
    this.queue = null;
    this.stalledSinceMs = 0;
    this.stalledMs = 0;
    this.endAfterQueue = false;
    this.trailersAfterQueue = null;
    this.windowGrowth = 0;
    this.windowBytesMax = windowBytesMax;
    this.isExhausted = false;
    this.toReturn = 0;
    this.method = '';
    this.resetAfterEnd = false;
    this.contentLength = -1;
    this.contentReceived = 0;
  }
}
