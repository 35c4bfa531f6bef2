/**
 * One HTTP/1.1 connection of a caller: one request at a time. What a caller pipelines behind it is read no further than
 * the chunk it came in and waits, bounded; so answers keep their order without being buffered, and a connection costs
 * the app no more than one request at a time.
 *
 *   waiting for a head ──▶ request under way ──▶ waiting …          (idle: node's keep-alive timeout)
 *        └─ head incomplete for too long: 408    └─ nothing moves for too long: 408, or broken off
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type net from 'node:net';
import { Reason } from '../../proto/reasons.ts';
import type { HttpStream } from '../exchange/http-stream.ts';
import type { HeaderList } from '../http2/hpack/field.ts';
import type { ConnectionLimits } from '../http2/limits.ts';
import { tick } from './clock.ts';
import { Http1DownstreamStream, type Http1StreamOwner } from './http1-downstream.ts';
import { bodyStallTimeoutMs, headTimeoutMs, lingerMs, pipelinedRequestsMax } from './http1-limits.ts';
import { isAfterClose, reasonOfParseError, refusalText, refuseRequest } from './http1-refusal.ts';
import { readRequestHead } from './http1-request-head.ts';

/** What a connection needs of its server. */
export interface Http1ConnectionOwner {
  readonly isDraining: boolean;
  readonly limits: ConnectionLimits;
  onRequest(stream: HttpStream, head: HeaderList, endStream: boolean, socket: net.Socket): void;
  /** Refused; `isRequest` when nothing else counts it as one. */
  onRefused(reason: number, isRequest: boolean): void;
}

export class Http1Connection implements Http1StreamOwner {
  readonly socket: net.Socket;
  private readonly owner: Http1ConnectionOwner;
  private current: Http1DownstreamStream | null = null;
  private readonly waiting: [IncomingMessage, ServerResponse][] = [];
  /** The last request of the connection has been taken. */
  private isEnding = false;
  private hasAnswered = false;
  /** Bytes of the socket when the last answer was done, and since when there are more. */
  private readBefore = 0;
  private headSinceMs = 0;
  private movedBytes = 0;
  private movedMs = 0;
  /** Why the connection ends after the answers that are due. */
  private failure: number = Reason.none;

  constructor(owner: Http1ConnectionOwner, socket: net.Socket) {
    this.owner = owner;
    this.socket = socket;
  }

  get isBusy(): boolean {
    return this.current !== null;
  }

  get isDraining(): boolean {
    return this.owner.isDraining;
  }

  get isIdle(): boolean {
    return this.current === null && this.hasAnswered && this.socket.bytesRead === this.readBefore;
  }

  onRequest(request: IncomingMessage, response: ServerResponse): void {
    tick();
    if (this.isEnding) return;
    if (this.current === null) return this.begin(request, response);
    this.waiting.push([request, response]);
    this.socket.pause();
    if (this.waiting.length < pipelinedRequestsMax) return;
    this.isEnding = true;
    response.shouldKeepAlive = false;
  }

  onStreamDone(): void {
    this.current = null;
    this.hasAnswered = true;
    this.readBefore = this.socket.bytesRead;
    this.headSinceMs = 0;
    const next = this.waiting.shift();
    if (next !== undefined) this.begin(...next);
    else if (this.failure !== Reason.none) this.fail(this.failure);
    else if (!this.isEnding) this.socket.resume();
  }

  /** node's parser gave up. */
  onParseError(error: Error): void {
    const reason = reasonOfParseError(error);
    const isBehindLast = isAfterClose(error) && this.current !== null;
    if (isBehindLast) return;
    if (reason === Reason.none) this.socket.destroy();
    // What it could not read stands behind requests that it could.
    else if (this.current?.remoteClosed === true) this.failure = reason;
    else this.fail(reason);
  }

  /** Looks at the times; called every second or so. */
  sweep(nowMs: number): void {
    const { socket, current } = this;
    if (this.isEnding) return;
    if (current === null) {
      if (socket.bytesRead === this.readBefore) return;
      // Bytes that came while an answer was under way are looked at from its end on.
      if (this.headSinceMs === 0) this.headSinceMs = nowMs;
      else if (nowMs - this.headSinceMs >= headTimeoutMs) this.fail(Reason.requestTimeout);
      return;
    }
    const moved = socket.bytesRead + socket.bytesWritten;
    if (moved !== this.movedBytes || current.remoteClosed || current.isHeldBack) {
      this.movedBytes = moved;
      this.movedMs = nowMs;
    } else if (nowMs - this.movedMs >= bodyStallTimeoutMs) this.fail(Reason.requestTimeout);
  }

  closeIfIdle(): void {
    if (this.isIdle) this.socket.destroy();
  }

  linger(): void {
    const { socket } = this;
    this.isEnding = true;
    socket.pause();
    socket.end();
    setTimeout(() => socket.destroy(), lingerMs).unref();
  }

  private begin(request: IncomingMessage, response: ServerResponse): void {
    const { owner } = this;
    const head = readRequestHead(request, owner.limits);
    if (typeof head === 'number') return this.refuse(response, head);
    const stream = new Http1DownstreamStream(this, request, response, !head.hasContent);
    this.current = stream;
    owner.onRequest(stream, head.list, !head.hasContent, this.socket);
    stream.begin();
  }

  private refuse(response: ServerResponse, reason: number): void {
    this.isEnding = true;
    this.owner.onRefused(reason, true);
    response.once('finish', () => this.linger());
    refuseRequest(response, reason);
  }

  /** Ends the connection, with an answer if one can still be given. */
  fail(reason: number): void {
    if (this.isEnding) return;
    const { current, socket } = this;
    this.owner.onRefused(reason, current === null);
    this.isEnding = true;
    this.waiting.length = 0;
    if (current !== null && !current.abort()) return;
    socket.write(refusalText(reason), 'latin1');
    this.linger();
  }
}
