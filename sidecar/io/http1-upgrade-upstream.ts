/**
 * An extended CONNECT (RFC 8441) toward an HTTP/1.1 endpoint: a GET with `Upgrade`, whose 101 becomes a 200 and the
 * socket a tunnel. What the caller sends before that waits, bounded by its credit: an endpoint that declines would take
 * it for its next request. A 2xx that is no 101 is refused: in HTTP/2's form it would say that the tunnel stands.
 */
import http from 'node:http';
import type net from 'node:net';
import type { Duplex } from 'node:stream';
import type { HttpStream } from '../exchange/http-stream.ts';
import { ErrorCode } from '../http2/constants.ts';
import type { HeaderList } from '../http2/hpack/field.ts';
import { type CreditSource, ResetCause, type StreamHandler } from '../http2/stream.ts';
import { tick } from './clock.ts';
import { type BodyOwner, Http1Body } from './http1-body.ts';
import { whenConnected } from './http1-connect-timer.ts';
import { requestFields, responseHead, switchedHead } from './http1-headers.ts';
import { Http1Outlet, type Http1Sink, type OutletOwner } from './http1-outlet.ts';
import { type Http1Place, targetOptions } from './http1-place.ts';
import { Http1Tunnel, type TunnelOwner } from './http1-tunnel.ts';
import { newWebsocketKey, websocketAccept, websocketAcceptName, websocketKeyName } from './http1-websocket.ts';

const nothing = Buffer.alloc(0);
/** Until there is a tunnel nothing is granted, so nothing comes here. */
const nowhere: Http1Sink = { write: () => {} };

export class Http1UpgradeUpstreamStream implements HttpStream, TunnelOwner, OutletOwner, BodyOwner {
  handler: StreamHandler | null;
  remoteClosed = false;
  isClosed = false;
  private readonly place: Http1Place;
  private readonly list: HeaderList;
  private readonly outlet = new Http1Outlet(nowhere, this, 0);
  private readonly request: http.ClientRequest;
  /** The key that we made because the caller's protocol has none. */
  private readonly ownKey: string;
  private localClosed = false;
  private isConnected = false;
  private tunnel: Http1Tunnel | null = null;
  private body: Http1Body | null = null;

  constructor(place: Http1Place, list: HeaderList, handler: StreamHandler) {
    this.place = place;
    this.list = list;
    this.handler = handler;
    const needsKey = list.protocol === 'websocket' && list.get(websocketKeyName) === undefined;
    this.ownKey = needsKey ? newWebsocketKey() : '';
    this.request = this.send();
  }

  get source(): CreditSource | null {
    return this.outlet.source;
  }

  set source(source: CreditSource | null) {
    this.outlet.source = source;
  }

  sendHeaders(): void {}

  sendData(buf: Buffer, start: number, end: number, endStream: boolean): void {
    if (this.isClosed || this.localClosed) return;
    this.outlet.send(buf, start, end);
    if (endStream) this.outlet.end(() => this.endLocal());
  }

  sendTrailers(_list: HeaderList): void {
    if (!this.isClosed && !this.localClosed) this.outlet.end(() => this.endLocal());
  }

  reset(_code: number): void {
    if (this.isClosed) return;
    this.handler = null;
    this.abandon();
  }

  credit(bytes: number): void {
    if (this.tunnel !== null) this.tunnel.credit(bytes);
    else this.body?.credit(bytes);
  }

  letGo(): void {
    const { handler } = this;
    this.reset(ErrorCode.enhanceYourCalm);
    handler?.onReset(ErrorCode.enhanceYourCalm, ResetCause.flowControl);
  }

  onBytes(bytes: Buffer): void {
    if (!this.isClosed) this.handler?.onData(bytes, 0, bytes.length, false);
  }

  onEnd(): void {
    if (this.isClosed) return;
    this.remoteClosed = true;
    if (this.localClosed) this.close();
    this.handler?.onData(nothing, 0, 0, true);
  }

  onClosed(): void {
    this.fail(ResetCause.connection);
  }

  onBodyEnd(): void {
    this.remoteClosed = true;
    // Declined: nothing that the caller sent was sent on, and the answer is complete.
    this.close();
    queueMicrotask(() => this.handler?.onReset(ErrorCode.noError, ResetCause.peer));
  }

  onBadTrailers(): void {
    this.fail(ResetCause.protocol);
  }

  onTooMuchUnread(): void {}

  private send(): http.ClientRequest {
    const { place, list } = this;
    const headers = requestFields(list, true).concat('connection', 'Upgrade', 'upgrade', list.protocol);
    if (this.ownKey !== '') headers.push(websocketKeyName, this.ownKey);
    const request = http.request({
      ...targetOptions(place.sockets.address),
      agent: place.sockets.fresh,
      method: 'GET',
      path: list.path,
      headers,
      setHost: false,
      insecureHTTPParser: false,
      maxHeaderSize: place.sockets.limits.headerListBytesMax,
    });
    request.maxHeadersCount = place.sockets.limits.headerFieldsMax + 1;
    whenConnected(request, place.connectTimeoutMs, () => {
      this.isConnected = true;
    });
    request.on('upgrade', (response, socket, head) => this.onSwitched(response, socket, head));
    request.on('response', (response) => this.onDeclined(response));
    request.on('error', () => this.fail(ResetCause.connection));
    request.on('close', () => {
      if (this.tunnel === null) this.fail(ResetCause.connection);
    });
    request.end();
    return request;
  }

  private onSwitched(response: http.IncomingMessage, socket: Duplex, early: Buffer): void {
    tick();
    const head = switchedHead(response, this.list.protocol, this.place.sockets.limits);
    if (head === null || this.isClosed || !isSocket(socket) || !this.isAccepted(head)) {
      socket.on('error', () => {});
      socket.destroy();
      return this.fail(ResetCause.protocol);
    }
    const tunnel = new Http1Tunnel(socket, this);
    this.tunnel = tunnel;
    this.handler?.onHeaders(this.ownKey === '' ? head : head.with({ remove: [websocketAcceptName] }), false);
    this.outlet.sink = tunnel;
    this.outlet.grant(Number.POSITIVE_INFINITY);
    tunnel.start(early);
  }

  private isAccepted(head: HeaderList): boolean {
    return this.ownKey === '' || head.get(websocketAcceptName) === websocketAccept(this.ownKey);
  }

  private onDeclined(response: http.IncomingMessage): void {
    tick();
    const head = responseHead(
      response.statusCode ?? 0,
      response.httpVersion,
      response.rawHeaders,
      this.place.sockets.limits,
    );
    if (head === null || head.status < 300) return this.fail(ResetCause.protocol);
    this.outlet.drop();
    this.handler?.onHeaders(head, false);
    this.body = new Http1Body(response, this);
  }

  private endLocal(): void {
    this.localClosed = true;
    this.tunnel?.end();
    if (this.remoteClosed) this.close();
  }

  private fail(cause: number): void {
    if (this.isClosed) return;
    const { handler } = this;
    this.abandon();
    tick();
    handler?.onReset(ErrorCode.internalError, this.isConnected ? cause : ResetCause.notConnected);
  }

  private abandon(): void {
    this.close();
    if (this.tunnel !== null) this.tunnel.destroy();
    else this.request.destroy();
  }

  private close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.outlet.drop();
    this.place.release();
  }
}

function isSocket(stream: Duplex): stream is net.Socket {
  return 'setNoDelay' in stream;
}
