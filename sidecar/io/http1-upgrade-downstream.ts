/**
 * A caller's `Upgrade` as the stream of an extended CONNECT (RFC 8441): a 2xx becomes 101 and the socket a tunnel; any
 * other answer is given as what it is, and ends the connection. Nothing that the caller sends is read before the 101: to
 * an app that declines, it would be the next request.
 */
import http from 'node:http';
import type net from 'node:net';
import type { HttpStream } from '../exchange/http-stream.ts';
import { ErrorCode } from '../http2/constants.ts';
import type { HeaderList } from '../http2/hpack/field.ts';
import { type CreditSource, ResetCause, type StreamHandler } from '../http2/stream.ts';
import { plainFields, responseFields } from './http1-headers.ts';
import { lingerMs } from './http1-limits.ts';
import { Http1Outlet, type OutletOwner } from './http1-outlet.ts';
import { Http1Tunnel, type TunnelOwner } from './http1-tunnel.ts';
import { websocketAccept, websocketAcceptName, websocketKeyName } from './http1-websocket.ts';

const nothing = Buffer.alloc(0);

export class Http1UpgradeStream implements HttpStream, TunnelOwner, OutletOwner {
  handler: StreamHandler | null = null;
  remoteClosed = false;
  isClosed = false;
  private readonly request: http.IncomingMessage;
  private readonly head: HeaderList;
  private readonly early: Buffer;
  private readonly tunnel: Http1Tunnel;
  private readonly outlet: Http1Outlet;
  private localClosed = false;
  private declined: http.ServerResponse | null = null;
  private isAnswered = false;

  constructor(request: http.IncomingMessage, head: HeaderList, socket: net.Socket, early: Buffer) {
    this.request = request;
    this.head = head;
    this.early = early;
    this.tunnel = new Http1Tunnel(socket, this);
    this.outlet = new Http1Outlet(this.tunnel, this);
  }

  get source(): CreditSource | null {
    return this.outlet.source;
  }

  set source(source: CreditSource | null) {
    this.outlet.source = source;
  }

  sendHeaders(list: HeaderList, endStream: boolean): void {
    if (this.isClosed || this.isAnswered || list.status < 200) return;
    this.isAnswered = true;
    if (list.status < 300) this.establish(list);
    else this.decline(list);
    if (endStream) this.endLocal();
  }

  sendData(buf: Buffer, start: number, end: number, endStream: boolean): void {
    if (this.isClosed || this.localClosed) return;
    this.outlet.send(buf, start, end);
    if (endStream) this.outlet.end(() => this.endLocal());
  }

  /** A tunnel has no place for trailers; their coming is its end. */
  sendTrailers(_list: HeaderList): void {
    if (!this.isClosed && !this.localClosed) this.outlet.end(() => this.endLocal());
  }

  reset(code: number): void {
    // After an answer other than 101 there is nothing more to read, and nothing is being read.
    if (this.isClosed || (code === ErrorCode.noError && this.declined !== null)) return;
    this.isClosed = true;
    this.outlet.drop();
    this.tunnel.destroy();
  }

  credit(bytes: number): void {
    this.tunnel.credit(bytes);
  }

  letGo(): void {
    this.reset(ErrorCode.enhanceYourCalm);
    this.handler?.onReset(ErrorCode.enhanceYourCalm, ResetCause.flowControl);
  }

  onBytes(bytes: Buffer): void {
    if (!this.isClosed) this.handler?.onData(bytes, 0, bytes.length, false);
  }

  onEnd(): void {
    if (this.isClosed) return;
    this.remoteClosed = true;
    this.isClosed = this.localClosed;
    this.handler?.onData(nothing, 0, 0, true);
  }

  onClosed(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.outlet.drop();
    this.handler?.onReset(ErrorCode.cancel, ResetCause.peer);
  }

  private establish(list: HeaderList): void {
    let text = `HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: ${this.head.protocol}\r\n`;
    const key = this.head.get(websocketKeyName);
    const accept = list.get(websocketAcceptName);
    if (this.head.protocol === 'websocket' && key !== undefined && accept === undefined) {
      text += `${websocketAcceptName}: ${websocketAccept(key)}\r\n`;
    }
    for (const [name, value] of plainFields(list)) {
      if (name !== 'content-length') text += `${name}: ${value}\r\n`;
    }
    this.tunnel.socket.write(`${text}\r\n`, 'latin1');
    this.tunnel.start(this.early);
  }

  private decline(list: HeaderList): void {
    const response = new http.ServerResponse(this.request);
    const { socket } = this.tunnel;
    this.declined = response;
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.on('error', () => {});
    this.outlet.sink = response;
    response.writeHead(list.status, responseFields(list, true));
  }

  private endLocal(): void {
    this.localClosed = true;
    const { declined, tunnel } = this;
    if (declined === null) {
      this.isClosed = this.remoteClosed;
      return tunnel.end();
    }
    this.isClosed = true;
    declined.end(() => {
      tunnel.end();
      setTimeout(() => tunnel.socket.destroy(), lingerMs).unref();
    });
  }
}
