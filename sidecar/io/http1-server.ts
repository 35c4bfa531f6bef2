/**
 * HTTP/1.1 callers: node:http parses, and each request becomes a stream like any other. The server object never listens;
 * the sniffing listener feeds it sockets. That also means that node's own time limits, which begin with listening, are
 * off: the connections are swept here. `insecureHTTPParser` stays off, whatever the command line says.
 */
import http from 'node:http';
import type net from 'node:net';
import type { Duplex } from 'node:stream';
import { Reason } from '../../proto/reasons.ts';
import type { HttpStream } from '../exchange/http-stream.ts';
import type { HeaderList } from '../http2/hpack/field.ts';
import type { ConnectionLimits } from '../http2/limits.ts';
import { tick } from './clock.ts';
import { Http1Connection, type Http1ConnectionOwner } from './http1-connection.ts';
import { keepAliveTimeoutMs, sweepIntervalMs } from './http1-limits.ts';
import { readRequestHead } from './http1-request-head.ts';
import { withoutUpgrade } from './http1-restart.ts';
import { Http1UpgradeStream } from './http1-upgrade-downstream.ts';

export interface Http1Handlers {
  onRequest(stream: HttpStream, head: HeaderList, endStream: boolean, socket: net.Socket): void;
  /** Refused; `isRequest` when nothing else counts it as one. */
  onRefused(reason: number, isRequest: boolean): void;
}

export class Http1Server implements Http1ConnectionOwner {
  readonly limits: ConnectionLimits;
  isDraining = false;
  private readonly handlers: Http1Handlers;
  private readonly server: http.Server;
  private readonly connections = new Map<Duplex, Http1Connection>();
  private sweepTimer: NodeJS.Timeout | null = null;

  constructor(limits: ConnectionLimits, handlers: Http1Handlers) {
    this.limits = limits;
    this.handlers = handlers;
    const server = http.createServer({
      maxHeaderSize: limits.headerListBytesMax,
      keepAliveTimeout: keepAliveTimeoutMs,
      insecureHTTPParser: false,
      // An answer of ours says why, node's would not.
      requireHostHeader: false,
    });
    // One more than allowed, so that too many are seen and not cut off.
    server.maxHeadersCount = limits.headerFieldsMax + 1;
    const onRequest = (request: http.IncomingMessage, response: http.ServerResponse): void =>
      this.connections.get(request.socket)?.onRequest(request, response);
    server.on('request', onRequest);
    // Whether to go on is for the app to say.
    server.on('checkContinue', onRequest);
    server.on('checkExpectation', onRequest);
    server.on('clientError', (error, socket) => {
      const connection = this.connections.get(socket);
      if (connection === undefined) socket.destroy();
      else connection.onParseError(error);
    });
    server.on('connect', (_request, socket) => this.freeConnection(socket)?.fail(Reason.connectRefused));
    server.on('upgrade', (request, socket, early) => this.onUpgrade(request, socket, early));
    this.server = server;
  }

  /** Takes over a socket from which nothing has been read, as far as it can tell. */
  accept(socket: net.Socket): void {
    this.connections.set(socket, new Http1Connection(this, socket));
    socket.once('close', () => this.forget(socket));
    this.sweepTimer ??= setInterval(() => this.sweep(tick()), sweepIntervalMs).unref();
    this.server.emit('connection', socket);
  }

  onRequest(stream: HttpStream, head: HeaderList, endStream: boolean, socket: net.Socket): void {
    this.handlers.onRequest(stream, head, endStream, socket);
  }

  onRefused(reason: number, isRequest: boolean): void {
    this.handlers.onRefused(reason, isRequest);
  }

  /** Answers say that they are the last on their connection; connections without a request close. */
  drain(): void {
    this.isDraining = true;
    for (const connection of this.connections.values()) connection.closeIfIdle();
  }

  /** Looks at the times of all connections. */
  sweep(nowMs: number): void {
    for (const connection of this.connections.values()) connection.sweep(nowMs);
  }

  private onUpgrade(request: http.IncomingMessage, duplex: Duplex, early: Buffer): void {
    tick();
    const connection = this.freeConnection(duplex);
    if (connection === null) return;
    const { socket } = connection;
    const head = readRequestHead(request, this.limits);
    if (typeof head === 'number') return connection.fail(head);
    if (head.upgrade === '') {
      socket.unshift(Buffer.concat([withoutUpgrade(request), early]));
      this.server.emit('connection', socket);
      return;
    }
    this.forget(socket);
    this.handlers.onRequest(new Http1UpgradeStream(request, head.list, socket, early), head.list, false, socket);
  }

  /** The connection, if it owes no answer: a caller that wants to leave HTTP/1.1 has to wait for what it asked before. */
  private freeConnection(socket: Duplex): Http1Connection | null {
    const connection = this.connections.get(socket);
    if (connection !== undefined && !connection.isBusy) return connection;
    this.onRefused(Reason.badRequest, true);
    socket.destroy();
    return null;
  }

  private forget(socket: net.Socket): void {
    this.connections.delete(socket);
    if (this.connections.size > 0 || this.sweepTimer === null) return;
    clearInterval(this.sweepTimer);
    this.sweepTimer = null;
  }
}
