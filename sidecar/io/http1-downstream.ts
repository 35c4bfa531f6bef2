/**
 * HTTP/1.1 callers: node:http parses, and each request becomes a stream like any other. The server object never listens;
 * the sniffing listener feeds it sockets.
 */
import http from 'node:http';
import type { Socket } from 'node:net';
import type { HttpStream } from '../exchange/http-stream.ts';
import { ErrorCode } from '../http2/constants.ts';
import type { HeaderList } from '../http2/hpack/field.ts';
import { type CreditSource, ResetCause, type StreamHandler } from '../http2/stream.ts';
import { tick } from './clock.ts';
import { Http1Body } from './http1-body.ts';
import { requestHead, toRaw } from './http1-headers.ts';

export type Http1RequestHandler = (stream: HttpStream, head: HeaderList, endStream: boolean, socket: Socket) => void;

export function createHttp1Server(onRequest: Http1RequestHandler): http.Server {
  const server = http.createServer({ maxHeaderSize: 65_536, keepAliveTimeout: 75_000 });
  server.on('request', (request, response) => {
    tick();
    const head = requestHead(
      request.method ?? 'GET',
      request.url ?? '/',
      request.headers.host ?? '',
      request.rawHeaders,
    );
    if (head.requestError !== 0) {
      response.writeHead(400, { 'weir-reason': 'bad_request' }).end();
      return;
    }
    const hasBody = request.headers['transfer-encoding'] !== undefined || head.contentLength > 0;
    const stream = new Http1DownstreamStream(request, response, !hasBody);
    onRequest(stream, head, !hasBody, request.socket);
    stream.begin();
  });
  return server;
}

class Http1DownstreamStream implements HttpStream {
  handler: StreamHandler | null = null;
  source: CreditSource | null = null;
  remoteClosed: boolean;
  isClosed = false;
  private readonly request: http.IncomingMessage;
  private readonly response: http.ServerResponse;
  private body: Http1Body | null = null;

  constructor(request: http.IncomingMessage, response: http.ServerResponse, requestEnded: boolean) {
    this.request = request;
    this.response = response;
    this.remoteClosed = requestEnded;
    response.on('close', () => {
      if (this.isClosed) return;
      this.isClosed = true;
      tick();
      this.handler?.onReset(ErrorCode.cancel, ResetCause.peer);
    });
    response.on('error', () => {});
  }

  begin(): void {
    if (this.remoteClosed || this.isClosed) return;
    this.body = new Http1Body(this.request, () => {
      this.remoteClosed = this.request.complete;
      return this.isClosed ? null : this.handler;
    });
  }

  sendHeaders(list: HeaderList, endStream: boolean): void {
    const { response } = this;
    if (this.isClosed || response.headersSent) return;
    if (list.status < 200) {
      if (list.status === 103) response.writeEarlyHints({ link: list.get('link') ?? '' });
      return;
    }
    response.writeHead(list.status, toRaw(list));
    if (endStream) this.finish();
    else response.flushHeaders();
  }

  sendData(buf: Buffer, start: number, end: number, endStream: boolean): void {
    if (this.isClosed) return;
    const count = end - start;
    if (count > 0) {
      const { source } = this;
      this.response.write(Buffer.from(buf.subarray(start, end)), () => {
        tick();
        source?.credit(count);
      });
    }
    if (endStream) this.finish();
  }

  sendTrailers(list: HeaderList): void {
    if (this.isClosed) return;
    // Node drops them where the message's form has no place for them (content-length, HTTP/1.0).
    const raw = toRaw(list);
    for (let i = 0; i < raw.length; i += 2) this.response.addTrailers([[raw[i]!, raw[i + 1]!]]);
    this.finish();
  }

  reset(code: number): void {
    if (this.isClosed) return;
    this.isClosed = true;
    // NO_ERROR follows a complete answer: node reads off what is left of the request.
    if (code !== ErrorCode.noError) this.response.destroy();
  }

  credit(bytes: number): void {
    this.body?.credit(bytes);
  }

  private finish(): void {
    this.isClosed = this.remoteClosed;
    this.response.end();
    if (!this.isClosed)
      this.response.once('finish', () => {
        this.isClosed = true;
      });
  }
}
