/**
 * Sockets to HTTP/1.1 endpoints, kept for the next request. What node's agent does not do: a socket on which something
 * arrives while nobody asked is closed (the next request would take it for its answer), and one that the endpoint
 * announced to close is given up a second before.
 */
import type http from 'node:http';
import type net from 'node:net';
import { upstreamIdleTimeoutMs } from './http1-limits.ts';
import type { UpstreamTls } from './tls/upstream-tls.ts';
import { UpstreamAgent } from './upstream-agent.ts';

/** The endpoint closes at its time, and a request sent then would be lost. */
const closingMarginMs = 1000;

function onUnasked(this: net.Socket): void {
  this.destroy();
}

export class Http1Agent extends UpstreamAgent {
  private readonly idleTimeouts = new WeakMap<net.Socket, number>();

  constructor(socketsMax: number, tls: () => UpstreamTls | null) {
    super({ keepAlive: true, maxSockets: socketsMax, maxFreeSockets: socketsMax }, tls);
  }

  /** What an answer said about how long its connection stays open. */
  learn(socket: net.Socket | null, raw: readonly string[]): void {
    for (let i = 0; i + 1 < raw.length; i += 2) {
      if (raw[i]!.length !== 10 || raw[i]!.toLowerCase() !== 'keep-alive') continue;
      const seconds = /(?:^|[\s,;])timeout=(\d{1,9})/i.exec(raw[i + 1]!);
      if (seconds !== null && socket !== null) this.idleTimeouts.set(socket, Number(seconds[1]) * 1000);
    }
  }

  /** Called by node when a request is done with the socket. */
  override keepSocketAlive(socket: net.Socket): boolean {
    const announcedMs = this.idleTimeouts.get(socket) ?? Number.POSITIVE_INFINITY;
    const idleMs = Math.min(upstreamIdleTimeoutMs, announcedMs - closingMarginMs);
    if (idleMs <= 0) return false;
    super.keepSocketAlive(socket);
    socket.setTimeout(idleMs);
    socket.on('data', onUnasked);
    return true;
  }

  /** Called by node when a kept socket gets its next request. */
  override reuseSocket(socket: net.Socket, request: http.ClientRequest): void {
    super.reuseSocket(socket, request);
    socket.off('data', onUnasked);
    socket.setTimeout(0);
  }
}
