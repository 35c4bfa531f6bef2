/**
 * HTTP/1.1 toward an app or endpoint that speaks nothing else, through node's keep-alive agent. A request becomes a
 * stream with the same promises as HTTP/2's: credit on drain, a truncated answer never looks complete.
 */
import http from 'node:http';
import type { HttpStream, UpstreamConnection } from '../exchange/http-stream.ts';
import { ErrorCode } from '../http2/constants.ts';
import type { HeaderList } from '../http2/hpack/field.ts';
import { type CreditSource, ResetCause, type StreamHandler } from '../http2/stream.ts';
import { tick } from './clock.ts';
import { connectOptions } from './connect-options.ts';
import { Http1Body } from './http1-body.ts';
import { responseHead, toRaw } from './http1-headers.ts';

/** Sockets to one endpoint; requests beyond wait in the agent, under their deadlines. */
const socketsPerEndpointMax = 256;

export class Http1Upstream {
  private readonly agent = new http.Agent({ keepAlive: true, maxSockets: socketsPerEndpointMax, noDelay: true });

  at(address: string, connectTimeoutMs: number): UpstreamConnection {
    return {
      request: (list, endStream, handler) =>
        new Http1UpstreamStream(this.agent, address, connectTimeoutMs, list, endStream, handler),
    };
  }

  close(): void {
    this.agent.destroy();
  }
}

class Http1UpstreamStream implements HttpStream {
  handler: StreamHandler | null;
  source: CreditSource | null = null;
  remoteClosed = false;
  isClosed = false;
  private readonly request: http.ClientRequest;
  private isConnected = false;
  private body: Http1Body | null = null;

  constructor(
    agent: http.Agent,
    address: string,
    connectTimeoutMs: number,
    list: HeaderList,
    endStream: boolean,
    handler: StreamHandler,
  ) {
    this.handler = handler;
    const target = connectOptions(address);
    const headers = toRaw(list);
    headers.unshift('host', list.authority);
    this.request = http.request({
      agent,
      ...('path' in target ? { socketPath: target.path } : target),
      method: list.method,
      path: list.path,
      headers,
      setHost: false,
    });
    this.watch(connectTimeoutMs);
    if (endStream) this.request.end();
    else this.request.flushHeaders();
  }

  sendHeaders(): void {}

  sendData(buf: Buffer, start: number, end: number, endStream: boolean): void {
    if (this.isClosed || this.request.writableEnded) return;
    const count = end - start;
    if (count > 0) {
      const { source } = this;
      this.request.write(Buffer.from(buf.subarray(start, end)), () => {
        tick();
        source?.credit(count);
      });
    }
    if (endStream) this.request.end();
  }

  sendTrailers(list: HeaderList): void {
    if (this.isClosed || this.request.writableEnded) return;
    const raw = toRaw(list);
    for (let i = 0; i < raw.length; i += 2) this.request.addTrailers([[raw[i]!, raw[i + 1]!]]);
    this.request.end();
  }

  reset(_code: number): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.handler = null;
    this.request.destroy();
  }

  credit(bytes: number): void {
    this.body?.credit(bytes);
  }

  private watch(connectTimeoutMs: number): void {
    const { request } = this;
    const timer = setTimeout(() => {
      if (!this.isConnected) request.destroy(new Error(`no connection in ${connectTimeoutMs} ms`));
    }, connectTimeoutMs);
    request.once('socket', (socket) => {
      const connected = (): void => {
        this.isConnected = true;
        clearTimeout(timer);
      };
      if (socket.connecting) socket.once('connect', connected);
      else connected();
    });
    request.on('information', ({ statusCode, rawHeaders }) => {
      tick();
      this.handler?.onHeaders(responseHead(statusCode, rawHeaders), false);
    });
    request.on('response', (response) => this.onResponse(response));
    request.on('error', () => this.fail());
    request.on('close', () => {
      clearTimeout(timer);
      this.fail();
    });
  }

  private onResponse(response: http.IncomingMessage): void {
    tick();
    const head = responseHead(response.statusCode ?? 502, response.rawHeaders);
    this.handler?.onHeaders(head, false);
    this.body = new Http1Body(response, () => this.handler);
    response.on('end', () => {
      this.remoteClosed = true;
      this.isClosed = true;
    });
    response.on('error', () => this.fail());
  }

  private fail(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    tick();
    this.handler?.onReset(ErrorCode.internalError, this.isConnected ? ResetCause.connection : ResetCause.notConnected);
  }
}
