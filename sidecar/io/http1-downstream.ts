/**
 * A request of an HTTP/1.1 caller as a stream like any other. The answer's head waits for the end of the loop's turn, so
 * that content which is there already goes out with it in one write.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HttpStream } from '../exchange/http-stream.ts';
import { ErrorCode } from '../http2/constants.ts';
import type { HeaderList } from '../http2/hpack/field.ts';
import { type CreditSource, ResetCause, type StreamHandler } from '../http2/stream.ts';
import { tick } from './clock.ts';
import { type Flushable, flushThisTurn } from './flush-scheduler.ts';
import { type BodyOwner, Http1Body } from './http1-body.ts';
import { plainFields, responseFields } from './http1-headers.ts';
import { sendInterim } from './http1-interim.ts';
import { interimAnswersMax } from './http1-limits.ts';
import { Http1Outlet, type Http1Sink, type OutletOwner } from './http1-outlet.ts';

/** The connection that the request came on. */
export interface Http1StreamOwner {
  readonly isDraining: boolean;
  /** The request is read and the answer written. */
  onStreamDone(): void;
  /** Ends the connection once the answer had time to arrive. */
  linger(): void;
}

export class Http1DownstreamStream implements HttpStream, Http1Sink, OutletOwner, BodyOwner, Flushable {
  handler: StreamHandler | null = null;
  isClosed = false;
  remoteClosed: boolean;
  private readonly owner: Http1StreamOwner;
  private readonly request: IncomingMessage;
  private readonly response: ServerResponse;
  private readonly outlet = new Http1Outlet(this, this);
  private body: Http1Body | null = null;
  /** What the policy lets come before it is drained. */
  private window = Number.POSITIVE_INFINITY;
  private wantsRest = true;
  private answered = false;
  private interims = 0;
  /** Only the end of the connection says where the content ends (HTTP/1.0). */
  private endsByClose = false;

  constructor(owner: Http1StreamOwner, request: IncomingMessage, response: ServerResponse, requestEnded: boolean) {
    this.owner = owner;
    this.request = request;
    this.response = response;
    this.remoteClosed = requestEnded;
    response.on('close', this.onResponseClosed);
    response.on('error', () => {});
  }

  get source(): CreditSource | null {
    return this.outlet.source;
  }

  set source(source: CreditSource | null) {
    this.outlet.source = source;
  }

  get isHeldBack(): boolean {
    return this.body?.isHeldBack ?? false;
  }

  /** The exchange listens: content may come. */
  begin(): void {
    if (this.remoteClosed) return;
    this.body = new Http1Body(this.request, this);
    this.body.window = Math.min(this.body.window, this.window);
    this.request.once('close', this.onRequestClosed);
    if (!this.wantsRest) this.body.discard();
  }

  sendHeaders(list: HeaderList, endStream: boolean): void {
    const { response } = this;
    if (this.isClosed || response.headersSent) return;
    if (list.status < 200) {
      if (++this.interims <= interimAnswersMax) sendInterim(this.request, response, list);
      return;
    }
    if (this.owner.isDraining) response.shouldKeepAlive = false;
    const isOld = this.request.httpVersionMinor === 0;
    response.writeHead(list.status, responseFields(list, !isOld && this.request.method !== 'HEAD'));
    if (endStream) return this.finish();
    this.endsByClose = isOld && list.contentLength < 0;
    const { socket } = response;
    if (socket === null) return;
    socket.cork();
    response.flushHeaders();
    flushThisTurn(this);
  }

  /** The turn ends: what was written in it goes out together. */
  flush(): void {
    this.request.socket.uncork();
  }

  sendData(buf: Buffer, start: number, end: number, endStream: boolean): void {
    if (this.isClosed || this.answered) return;
    this.outlet.send(buf, start, end);
    if (endStream) this.outlet.end(() => this.finish());
  }

  sendTrailers(list: HeaderList): void {
    if (this.isClosed || this.answered) return;
    this.outlet.end(() => {
      // Node drops them where the message's form has no place for them (content-length, HTTP/1.0).
      this.response.addTrailers(plainFields(list));
      this.finish();
    });
  }

  write(bytes: Buffer, onWritten: () => void): void {
    this.response.write(bytes, onWritten);
  }

  reset(code: number): void {
    if (this.isClosed) return;
    // NO_ERROR follows a complete answer: the rest of the request is of no use.
    if (code === ErrorCode.noError && this.answered) {
      this.wantsRest = false;
      this.body?.discard();
      return;
    }
    this.isClosed = true;
    this.outlet.drop();
    this.truncate();
  }

  limitWindow(bytes: number): void {
    this.window = bytes;
    if (this.body !== null) this.body.window = Math.min(this.body.window, bytes);
  }

  letGo(): void {
    this.isClosed = true;
    this.outlet.drop();
    this.truncate();
    this.handler?.onReset(ErrorCode.enhanceYourCalm, ResetCause.flowControl);
  }

  /** The connection cannot go on; answers whether something can still be said on it. */
  abort(): boolean {
    const canAnswer = !this.response.headersSent;
    this.onGone();
    if (!canAnswer) this.truncate();
    return canAnswer;
  }

  credit(bytes: number): void {
    this.body?.credit(bytes);
  }

  onBodyEnd(): void {
    this.remoteClosed = true;
    if (this.answered) this.isClosed = true;
  }

  onBadTrailers(): void {
    this.truncate();
  }

  onTooMuchUnread(): void {
    this.owner.linger();
  }

  private finish(): void {
    this.answered = true;
    this.isClosed = this.remoteClosed;
    this.response.end();
  }

  /** Breaks the connection off so that nobody takes what was sent for the whole. */
  private truncate(): void {
    const { socket } = this.request;
    if (this.endsByClose && !('encrypted' in socket)) socket.resetAndDestroy();
    else socket.destroy();
  }

  private readonly onResponseClosed = (): void => {
    if (!this.response.writableFinished) this.onGone();
    else if (this.remoteClosed) this.owner.onStreamDone();
  };

  private readonly onRequestClosed = (): void => {
    if (!this.remoteClosed) this.onGone();
    else if (this.response.writableFinished) this.owner.onStreamDone();
  };

  /** The caller is gone. */
  private onGone(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    tick();
    this.outlet.drop();
    if (this.wantsRest) this.handler?.onReset(ErrorCode.cancel, ResetCause.peer);
  }
}
