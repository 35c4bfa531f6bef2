/**
 * A listening port of the proxy: accepts, sniffs, and begins an exchange for every request, whichever protocol it came
 * in. It knows its open connections, so that draining can tell them all.
 */
import net from 'node:net';
import type { ListenAddress } from '../../proto/kernel/options.ts';
import type { ExchangeContext, Side } from '../exchange/context.ts';
import { Protocol } from '../exchange/http-stream.ts';
import type { Peer } from '../exchange/peer.ts';
import { beginExchange } from '../exchange/recycling.ts';
import { AnnouncedStreams } from '../http2/announced-streams.ts';
import { ErrorCode } from '../http2/constants.ts';
import type { HeaderList } from '../http2/hpack/field.ts';
import type { ConnectionLimits } from '../http2/limits.ts';
import type { Http2Stream } from '../http2/stream.ts';
import { type AcceptHandlers, accept, acceptSecureHttp2 } from './accept.ts';
import { Http1Server } from './http1-server.ts';
import { Http2Socket, type Http2SocketOwner } from './http2-socket.ts';
import { awaitProxyHeader } from './proxy-header.ts';
import { removeStaleSocket } from './stale-socket.ts';
import type { TlsAcceptor } from './tls/tls-acceptor.ts';
import type { TlsStats } from './tls/tls-stats.ts';

/** Connections one listener keeps; the kernel's backlog holds what comes beyond. */
const connectionsMax = 10_000;

/** What a connection must bring before its first request; without an entrance, nothing. */
export interface Entrance {
  /** null = plain text. */
  readonly tls: TlsAcceptor | null;
  /** A balancer in front says in a PROXY header who the client is. */
  readonly proxyProtocol: boolean;
  readonly stats: TlsStats;
}

/** An address of its own, or a descriptor that was bound for several threads. */
export type ListenPlace = ListenAddress | { readonly fd: number };

/** How many streams callers that are sidecars of Weir should have open at a time, as of now. */
export type StreamsFor = (nowMs: number) => number;

/**
 * Connections the kernel may hold until we accept them, as far as it allows (somaxconn). Node's 511 is less than the
 * callers that come back at once after an outage; who finds it full tries again a second later.
 */
const backlog = 4096;

export class Listener {
  private readonly context: ExchangeContext;
  private readonly side: Side;
  private readonly limits: ConnectionLimits;
  private readonly entrance: Entrance | null;
  /** null = as many as `limits` says, at all times. */
  private readonly streamsFor: StreamsFor | null;
  /** Told of each request before it begins. */
  private readonly onRequest: () => void;
  private readonly server: net.Server;
  private readonly http1: Http1Server;
  private readonly http2 = new Set<DownstreamConnection>();
  private readonly http1Sockets = new Map<net.Socket, Peer>();
  /** Sockets that have not shown what they speak; each stage of the entrance has its own time limit. */
  private readonly early = new Set<net.Socket>();
  private isDraining = false;

  constructor(
    context: ExchangeContext,
    side: Side,
    limits: ConnectionLimits,
    entrance: Entrance | null,
    streamsFor: StreamsFor | null,
    onRequest: () => void,
  ) {
    this.context = context;
    this.side = side;
    this.limits = limits;
    this.entrance = entrance;
    this.streamsFor = streamsFor;
    this.onRequest = onRequest;
    this.http1 = new Http1Server(limits, {
      onRequest: (stream, head, endStream, socket) => {
        const peer = this.http1Sockets.get(socket);
        // The socket closed in the meantime; nobody waits for an answer.
        if (peer === undefined) return stream.reset(ErrorCode.cancel);
        onRequest();
        beginExchange(context, side, stream, head, endStream, Protocol.http1, peer);
      },
      onRefused: (reason, isRequest) => side.refused(reason, isRequest),
    });
    this.server = net.createServer({ noDelay: true }, (socket) => this.onSocket(socket));
    this.server.maxConnections = connectionsMax;
  }

  /** Resolves with the address as text, `host:port` or `unix:path`. */
  async listen(address: ListenPlace): Promise<string> {
    if ('path' in address) await removeStaleSocket(address.path);
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(
        'path' in address || 'fd' in address
          ? { ...address, backlog }
          : { host: address.host, port: address.port, backlog },
        () => {
          this.server.off('error', reject);
          this.server.on('error', () => {});
          resolve(formatAddress(this.server.address()));
        },
      );
    });
  }

  get connectionCount(): number {
    return this.http2.size + this.http1Sockets.size;
  }

  get http2ConnectionCount(): number {
    return this.http2.size;
  }

  get streamCount(): number {
    let count = 0;
    for (const { socket } of this.http2) count += socket.connection.streamCount;
    return count;
  }

  get bufferedBytes(): number {
    let bytes = 0;
    for (const { socket } of this.http2) bytes += socket.connection.outputQueuedBytes;
    for (const socket of this.http1Sockets.keys()) bytes += socket.writableLength;
    return bytes;
  }

  /** Tells every caller to go elsewhere with new requests; those in flight go on. */
  drain(): void {
    this.isDraining = true;
    for (const { socket } of this.http2) socket.drain();
    this.http1.drain();
  }

  /** Stops listening and ends every connection. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    for (const { socket } of this.http2) socket.destroy();
    for (const socket of this.http1Sockets.keys()) socket.destroy();
    for (const socket of this.early) socket.destroy();
    await closed;
  }

  private onSocket(socket: net.Socket): void {
    this.early.add(socket);
    socket.once('close', () => this.early.delete(socket));
    const { entrance } = this;
    if (entrance?.proxyProtocol) {
      awaitProxyHeader(socket, entrance.stats, (address) => this.onAddressed(socket, address));
    } else this.onAddressed(socket, socket.remoteAddress ?? '');
  }

  private onAddressed(socket: net.Socket, address: string): void {
    const tls = this.entrance?.tls;
    if (!tls) {
      accept(socket, this.limits.prefaceTimeoutMs, this.handlersFor(socket, { address, identity: '' }));
      return;
    }
    tls.accept(socket, (secure, identity) => {
      const handlers = this.handlersFor(socket, { address, identity });
      if (secure.alpnProtocol === 'h2') acceptSecureHttp2(secure, handlers);
      else handlers.onHttp1(secure);
    });
  }

  private handlersFor(early: net.Socket, peer: Peer): AcceptHandlers {
    return {
      onHttp2: (socket) => {
        this.early.delete(early);
        const connection = new DownstreamConnection(this, socket, peer);
        this.http2.add(connection);
        if (this.isDraining) connection.socket.drain();
        return (count, buf) => connection.socket.onRead(count, buf);
      },
      onHttp1: (socket) => {
        this.early.delete(early);
        this.http1Sockets.set(socket, peer);
        socket.once('close', () => this.http1Sockets.delete(socket));
        this.http1.accept(socket);
      },
    };
  }

  begin(stream: Http2Stream, head: HeaderList, endStream: boolean, peer: Peer): void {
    this.onRequest();
    beginExchange(this.context, this.side, stream, head, endStream, Protocol.http2, peer);
  }

  open(socket: net.Socket, owner: Http2SocketOwner): Http2Socket {
    return new Http2Socket(socket, true, this.limits, owner);
  }

  tell(announced: AnnouncedStreams, nowMs: number): void {
    if (this.streamsFor !== null) announced.tell(this.streamsFor(nowMs), nowMs);
  }

  forget(connection: DownstreamConnection): void {
    this.http2.delete(connection);
  }
}

class DownstreamConnection implements Http2SocketOwner {
  readonly socket: Http2Socket;
  private readonly listener: Listener;
  private readonly peer: Peer;
  private readonly announced: AnnouncedStreams;

  constructor(listener: Listener, socket: net.Socket, peer: Peer) {
    this.listener = listener;
    this.peer = peer;
    this.socket = listener.open(socket, this);
    this.announced = new AnnouncedStreams(this.socket.connection);
  }

  onTick(nowMs: number): void {
    this.listener.tell(this.announced, nowMs);
  }

  get peerAddress(): string {
    return this.peer.address;
  }

  onRequest(stream: Http2Stream, list: HeaderList, endStream: boolean): void {
    this.listener.begin(stream, list, endStream, this.peer);
  }

  onCapacity(): void {
    if (this.socket?.connection.isGoingAway) this.socket.closeIfDone();
  }

  onGoaway(): void {
    this.socket.closeIfDone();
  }

  onClosed(): void {
    this.listener.forget(this);
  }
}

function formatAddress(address: net.AddressInfo | string | null): string {
  if (address === null) return '';
  if (typeof address === 'string') return `unix:${address}`;
  return address.family === 'IPv6' ? `[${address.address}]:${address.port}` : `${address.address}:${address.port}`;
}
