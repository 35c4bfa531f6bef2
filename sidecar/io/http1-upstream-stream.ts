/**
 * A request to an HTTP/1.1 endpoint as a stream with the same promises as HTTP/2's: credit on drain, a truncated answer
 * never looks complete. Two things are HTTP/1.1's own:
 *
 * - A kept socket may turn out closed when the request is already on its way. If nothing of an answer came, the request
 *   has no content and may be repeated (RFC 9110 §9.2.2), it goes out once more, on a new socket.
 * - An answer without a length ends with its connection (RFC 9112 §6.3): a reset is a truncation, an end is an end. No
 *   recipient can know better; endpoints that mind should send a length, or chunks.
 */
import http from 'node:http';
import type { HttpStream } from '../exchange/http-stream.ts';
import { ErrorCode } from '../http2/constants.ts';
import type { HeaderList } from '../http2/hpack/field.ts';
import { type CreditSource, ResetCause, type StreamHandler } from '../http2/stream.ts';
import { tick } from './clock.ts';
import { type BodyOwner, Http1Body } from './http1-body.ts';
import { whenConnected } from './http1-connect-timer.ts';
import { plainFields, requestFields, responseHead } from './http1-headers.ts';
import { interimAnswersMax } from './http1-limits.ts';
import { Http1Outlet, type Http1Sink, type OutletOwner } from './http1-outlet.ts';
import { type Http1Place, targetOptions } from './http1-place.ts';

const idempotent: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

export class Http1UpstreamStream implements HttpStream, Http1Sink, OutletOwner, BodyOwner {
  handler: StreamHandler | null;
  remoteClosed = false;
  isClosed = false;
  private readonly place: Http1Place;
  private readonly list: HeaderList;
  private readonly hasContent: boolean;
  private readonly outlet = new Http1Outlet(this, this);
  private request: http.ClientRequest;
  private isConnected = false;
  private hasAnswer = false;
  private wasRepeated = false;
  private interims = 0;
  private body: Http1Body | null = null;
  /** What the policy lets come before it is drained. */
  private window = Number.POSITIVE_INFINITY;

  constructor(place: Http1Place, list: HeaderList, endStream: boolean, handler: StreamHandler) {
    this.place = place;
    this.list = list;
    this.handler = handler;
    this.hasContent = !endStream;
    this.request = this.send(place.sockets.agent);
  }

  get source(): CreditSource | null {
    return this.outlet.source;
  }

  set source(source: CreditSource | null) {
    this.outlet.source = source;
  }

  sendHeaders(): void {}

  sendData(buf: Buffer, start: number, end: number, endStream: boolean): void {
    if (this.isClosed || this.request.writableEnded) return;
    this.outlet.send(buf, start, end);
    if (endStream) this.outlet.end(() => this.request.end());
  }

  sendTrailers(list: HeaderList): void {
    if (this.isClosed || this.request.writableEnded) return;
    this.outlet.end(() => {
      // There is no place for them behind content of a length that was told.
      if (this.list.contentLength < 0) this.request.addTrailers(plainFields(list));
      this.request.end();
    });
  }

  write(bytes: Buffer, onWritten: () => void): void {
    this.request.write(bytes, onWritten);
  }

  reset(_code: number): void {
    if (this.isClosed) return;
    this.handler = null;
    this.close();
    this.request.destroy();
  }

  credit(bytes: number): void {
    this.body?.credit(bytes);
  }

  limitWindow(bytes: number): void {
    this.window = bytes;
  }

  letGo(): void {
    const { handler } = this;
    this.reset(ErrorCode.enhanceYourCalm);
    handler?.onReset(ErrorCode.enhanceYourCalm, ResetCause.flowControl);
  }

  onBodyEnd(): void {
    this.remoteClosed = true;
    if (this.request.writableEnded) return this.close();
    // Answered before it had the whole request, of which it will not read the rest on this connection.
    queueMicrotask(() => {
      const { handler } = this;
      this.close();
      this.request.destroy();
      handler?.onReset(ErrorCode.noError, ResetCause.peer);
    });
  }

  onBadTrailers(): void {
    this.request.destroy();
    this.fail(ResetCause.protocol);
  }

  onTooMuchUnread(): void {}

  private send(agent: http.Agent): http.ClientRequest {
    const { place, list } = this;
    const request = http.request({
      ...targetOptions(place.sockets.address),
      agent,
      method: list.method,
      path: list.path,
      headers: requestFields(list, !this.hasContent),
      setHost: false,
      insecureHTTPParser: false,
      maxHeaderSize: place.sockets.limits.headerListBytesMax,
    });
    request.maxHeadersCount = place.sockets.limits.headerFieldsMax + 1;
    whenConnected(request, place.connectTimeoutMs, () => {
      this.isConnected = true;
    });
    request.on('information', ({ statusCode, httpVersion, rawHeaders }) => {
      this.onInterim(statusCode, httpVersion, rawHeaders);
    });
    request.on('response', (response) => this.onResponse(response));
    // Nobody asked to switch.
    request.on('upgrade', (_response, socket) => {
      socket.destroy();
      this.fail(ResetCause.protocol);
    });
    request.on('error', (error) => this.onError(request, error));
    request.on('close', () => {
      if (request !== this.request) return;
      this.fail(ResetCause.connection);
      // After this event the agent gets the socket back, and only then the next request may look for one.
      queueMicrotask(() => this.place.release());
    });
    if (this.hasContent) request.flushHeaders();
    else request.end();
    return request;
  }

  private onInterim(status: number, version: string, raw: readonly string[]): void {
    tick();
    this.hasAnswer = true;
    const head = responseHead(status, version, raw, this.place.sockets.limits);
    if (head !== null && ++this.interims <= interimAnswersMax) return this.handler?.onHeaders(head, false);
    this.request.destroy();
    this.fail(ResetCause.protocol);
  }

  private onResponse(response: http.IncomingMessage): void {
    tick();
    this.hasAnswer = true;
    const raw = response.rawHeaders;
    const head = responseHead(response.statusCode ?? 0, response.httpVersion, raw, this.place.sockets.limits);
    if (head === null) {
      this.request.destroy();
      return this.fail(ResetCause.protocol);
    }
    this.place.sockets.agent.learn(this.request.socket, raw);
    const isEmpty = hasNoContent(this.list.method, head);
    this.handler?.onHeaders(head, isEmpty);
    if (!isEmpty) {
      this.body = new Http1Body(response, this);
      this.body.window = Math.min(this.body.window, this.window);
      return;
    }
    response.on('error', () => {});
    response.resume();
    this.onBodyEnd();
  }

  private onError(request: http.ClientRequest, error: Error): void {
    if (request !== this.request || this.isClosed) return;
    if (this.mayRepeat(request)) {
      this.wasRepeated = true;
      this.isConnected = false;
      this.request = this.send(this.place.sockets.fresh);
      return;
    }
    const isMalformed = 'code' in error && typeof error.code === 'string' && error.code.startsWith('HPE_');
    this.fail(isMalformed ? ResetCause.protocol : ResetCause.connection);
  }

  private mayRepeat(request: http.ClientRequest): boolean {
    if (!request.reusedSocket || this.hasAnswer || this.hasContent || this.wasRepeated) return false;
    return idempotent.has(this.list.method);
  }

  private fail(cause: number): void {
    if (this.isClosed) return;
    const { handler } = this;
    this.close();
    tick();
    handler?.onReset(ErrorCode.internalError, this.isConnected ? cause : ResetCause.notConnected);
  }

  private close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.outlet.drop();
  }
}

/** RFC 9112 §6.3. What an endpoint sends all the same is node's parser's to refuse, and answers nobody. */
function hasNoContent(method: string, head: HeaderList): boolean {
  return method === 'HEAD' || head.status === 204 || head.status === 304 || head.contentLength === 0;
}
