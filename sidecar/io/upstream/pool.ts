/**
 * HTTP/2 connections to the endpoints, a few per endpoint: a new one is dialled only when those that stand have no room
 * for another stream, and the first with room is used, so that streams share connections and their writes. HTTP/1.1 goes
 * through node's agent.
 */
import type net from 'node:net';
import { Protocol, type Upstreams, type UpstreamWaiter } from '../../exchange/http-stream.ts';
import { type ConnectionLimits, defaultLimits, upstreamStreamsMax } from '../../http2/limits.ts';
import { clock } from '../clock.ts';
import { Http1Upstream } from '../http1-upstream.ts';
import { Http2Socket, type Http2SocketOwner } from '../http2-socket.ts';
import { dial } from './dial.ts';

export const connectionsPerEndpointMax = 64;
/** Requests that may wait for a connection to one endpoint. */
export const waitersPerEndpointMax = 4096;
const idleTimeoutMs = 60_000;
const sweepIntervalMs = 10_000;

export class UpstreamPool implements Upstreams {
  private readonly endpoints = new Map<string, EndpointConnections>();
  private readonly http1 = new Http1Upstream();
  private readonly limits: ConnectionLimits;
  private readonly sweepTimer: NodeJS.Timeout;

  constructor(limits: ConnectionLimits = defaultLimits) {
    this.limits = limits;
    this.sweepTimer = setInterval(() => this.sweep(), sweepIntervalMs);
    this.sweepTimer.unref();
  }

  connect(address: string, protocol: number, connectTimeoutMs: number, waiter: UpstreamWaiter): void {
    if (protocol === Protocol.http1) {
      waiter.onConnection(this.http1.at(address, connectTimeoutMs));
      return;
    }
    let endpoint = this.endpoints.get(address);
    if (endpoint === undefined) {
      endpoint = new EndpointConnections(address, this.limits);
      this.endpoints.set(address, endpoint);
    }
    endpoint.connect(connectTimeoutMs, waiter);
  }

  cancel(address: string, _protocol: number, waiter: UpstreamWaiter): void {
    this.endpoints.get(address)?.cancel(waiter);
  }

  get connectionCount(): number {
    let count = 0;
    for (const endpoint of this.endpoints.values()) count += endpoint.size;
    return count;
  }

  get bufferedBytes(): number {
    let bytes = 0;
    for (const endpoint of this.endpoints.values()) bytes += endpoint.bufferedBytes;
    return bytes;
  }

  close(): void {
    clearInterval(this.sweepTimer);
    for (const endpoint of this.endpoints.values()) endpoint.close();
    this.endpoints.clear();
    this.http1.close();
  }

  private sweep(): void {
    const oldestMs = performance.now() - idleTimeoutMs;
    for (const [address, endpoint] of this.endpoints) {
      endpoint.closeIdle(oldestMs);
      if (endpoint.isUnused) this.endpoints.delete(address);
    }
  }
}

/** All connections to one endpoint, and who waits for one. */
class EndpointConnections {
  private readonly address: string;
  private readonly limits: ConnectionLimits;
  private readonly open: PooledConnection[] = [];
  private dialling = 0;
  private readonly waiters = new Set<UpstreamWaiter>();

  constructor(address: string, limits: ConnectionLimits) {
    this.address = address;
    this.limits = limits;
  }

  get size(): number {
    return this.open.length;
  }

  get isUnused(): boolean {
    return this.open.length === 0 && this.dialling === 0 && this.waiters.size === 0;
  }

  get bufferedBytes(): number {
    let bytes = 0;
    for (const { socket } of this.open) bytes += socket.connection.outputQueuedBytes;
    return bytes;
  }

  connect(connectTimeoutMs: number, waiter: UpstreamWaiter): void {
    const { open } = this;
    for (let i = 0; i < open.length; i++) {
      const pooled = open[i]!;
      if (!pooled.socket.connection.canOpenStream) continue;
      pooled.usedMs = clock.nowMs;
      waiter.onConnection(pooled.socket.connection);
      return;
    }
    if (this.waiters.size >= waitersPerEndpointMax) {
      waiter.onConnectFailed(`${waitersPerEndpointMax} requests wait for a connection to ${this.address} already`);
      return;
    }
    this.waiters.add(waiter);
    const expected = this.dialling * upstreamStreamsMax;
    if (this.waiters.size > expected && this.open.length + this.dialling < connectionsPerEndpointMax) {
      this.dial(connectTimeoutMs);
    }
  }

  cancel(waiter: UpstreamWaiter): void {
    this.waiters.delete(waiter);
  }

  close(): void {
    for (const { socket } of [...this.open]) socket.destroy();
  }

  closeIdle(oldestMs: number): void {
    for (const { socket, usedMs } of [...this.open]) {
      if (socket.connection.streamCount === 0 && usedMs < oldestMs) socket.drain();
    }
  }

  private dial(timeoutMs: number): void {
    this.dialling++;
    dial(
      this.address,
      { timeoutMs, tls: null },
      {
        onConnected: (socket) => {
          this.dialling--;
          const pooled = new PooledConnection(socket, this.limits, this);
          this.open.push(pooled);
          this.serveWaiters();
          return pooled.socket;
        },
        onFailed: (detail) => {
          this.dialling--;
          this.onDialFailed(detail);
        },
      },
    );
  }

  private onDialFailed(detail: string): void {
    // Others may still come through, or streams end on the connections that stand.
    if (this.dialling > 0 || this.open.length > 0) return;
    for (const waiter of [...this.waiters]) {
      this.waiters.delete(waiter);
      waiter.onConnectFailed(detail);
    }
  }

  serveWaiters(): void {
    for (const waiter of this.waiters) {
      const pooled = this.open.find(({ socket }) => socket.connection.canOpenStream);
      if (pooled === undefined) return;
      pooled.usedMs = clock.nowMs;
      this.waiters.delete(waiter);
      waiter.onConnection(pooled.socket.connection);
    }
  }

  get hasWaiters(): boolean {
    return this.waiters.size > 0;
  }

  remove(pooled: PooledConnection, detail: string): void {
    const index = this.open.indexOf(pooled);
    if (index >= 0) this.open.splice(index, 1);
    if (this.waiters.size === 0 || this.dialling > 0) return;
    if (this.open.length === 0 && detail !== '') this.onDialFailed(detail);
    else this.dial(1000);
  }
}

class PooledConnection implements Http2SocketOwner {
  readonly socket: Http2Socket;
  usedMs: number;
  private readonly pool: EndpointConnections;

  constructor(socket: net.Socket, limits: ConnectionLimits, pool: EndpointConnections) {
    this.pool = pool;
    this.usedMs = clock.nowMs;
    this.socket = new Http2Socket(socket, false, limits, this);
  }

  /** Servers open no streams toward us. */
  onRequest(): void {}

  onCapacity(): void {
    if (this.pool.hasWaiters) this.pool.serveWaiters();
    if (this.socket.connection.isGoingAway) this.socket.closeIfDone();
  }

  onGoaway(): void {
    this.socket.closeIfDone();
  }

  onClosed(detail: string): void {
    this.pool.remove(this, detail);
  }
}
