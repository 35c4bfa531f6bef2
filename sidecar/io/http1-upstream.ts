/**
 * HTTP/1.1 toward an app or endpoint that speaks nothing else. Each endpoint has a bounded number of sockets and of
 * requests that wait for one; waiting is done here, before there is a request, so that who gives up leaves nothing.
 */
import { Reason } from '../../proto/reasons.ts';
import type { HttpStream, UpstreamConnection, UpstreamWaiter } from '../exchange/http-stream.ts';
import type { HeaderList } from '../http2/hpack/field.ts';
import type { ConnectionLimits } from '../http2/limits.ts';
import type { StreamHandler } from '../http2/stream.ts';
import { Http1Agent } from './http1-agent.ts';
import { socketsPerEndpointMax, waitersPerEndpointMax } from './http1-limits.ts';
import type { Http1Place, Http1Sockets } from './http1-place.ts';
import { Http1RefusedStream } from './http1-refused-stream.ts';
import { Http1UpgradeUpstreamStream } from './http1-upgrade-upstream.ts';
import { Http1UpstreamStream } from './http1-upstream-stream.ts';
import type { UpstreamTls } from './tls/upstream-tls.ts';
import { UpstreamAgent } from './upstream-agent.ts';

export class Http1Upstream {
  private readonly endpoints = new Map<string, Http1Endpoint>();
  /** One more than requests are let through, so that the agent itself never makes any wait. */
  private readonly agent = new Http1Agent(socketsPerEndpointMax + 1, () => this.tls);
  /** For what must not meet a socket that the endpoint is just closing, and for sockets that do not come back. */
  private readonly fresh = new UpstreamAgent({}, () => this.tls);
  private readonly limits: ConnectionLimits;
  /** Set before the first request to an address over TLS. */
  tls: UpstreamTls | null = null;

  constructor(limits: ConnectionLimits) {
    this.limits = limits;
  }

  connect(address: string, connectTimeoutMs: number, waiter: UpstreamWaiter): void {
    let endpoint = this.endpoints.get(address);
    if (endpoint === undefined) {
      const { agent, fresh, limits } = this;
      endpoint = new Http1Endpoint({ address, agent, fresh, limits }, () => this.endpoints.delete(address));
      this.endpoints.set(address, endpoint);
    }
    endpoint.connect(connectTimeoutMs, waiter);
  }

  cancel(address: string, waiter: UpstreamWaiter): void {
    this.endpoints.get(address)?.cancel(waiter);
  }

  close(): void {
    this.agent.destroy();
    this.fresh.destroy();
  }
}

class Http1Endpoint {
  readonly sockets: Http1Sockets;
  private readonly onUnused: () => void;
  private active = 0;
  private readonly waiters = new Map<UpstreamWaiter, number>();

  constructor(sockets: Http1Sockets, onUnused: () => void) {
    this.sockets = sockets;
    this.onUnused = onUnused;
  }

  connect(connectTimeoutMs: number, waiter: UpstreamWaiter): void {
    if (this.active < socketsPerEndpointMax) return this.serve(connectTimeoutMs, waiter);
    if (this.waiters.size >= waitersPerEndpointMax) {
      return waiter.onConnectFailed(
        Reason.queueFull,
        `${waitersPerEndpointMax} requests wait for ${this.sockets.address} already`,
      );
    }
    this.waiters.set(waiter, connectTimeoutMs);
  }

  cancel(waiter: UpstreamWaiter): void {
    this.waiters.delete(waiter);
  }

  private serve(connectTimeoutMs: number, waiter: UpstreamWaiter): void {
    this.active++;
    waiter.onConnection(new TakenPlace(this, connectTimeoutMs));
  }

  /** One of the places is free again. */
  onReleased(): void {
    this.active--;
    const [next] = this.waiters;
    if (next !== undefined) {
      this.waiters.delete(next[0]);
      this.serve(next[1], next[0]);
    } else if (this.active === 0) this.onUnused();
  }
}

class TakenPlace implements UpstreamConnection, Http1Place {
  /** An upgrade is one request like another here. */
  readonly takesExtendedConnect = true;
  readonly connectTimeoutMs: number;
  private readonly endpoint: Http1Endpoint;
  private isReleased = false;

  constructor(endpoint: Http1Endpoint, connectTimeoutMs: number) {
    this.endpoint = endpoint;
    this.connectTimeoutMs = connectTimeoutMs;
  }

  get sockets(): Http1Sockets {
    return this.endpoint.sockets;
  }

  request(list: HeaderList, endStream: boolean, handler: StreamHandler): HttpStream {
    if (!isSpeakable(list)) return new Http1RefusedStream(this, handler);
    if (list.method === 'CONNECT') return new Http1UpgradeUpstreamStream(this, list, handler);
    return new Http1UpstreamStream(this, list, endStream, handler);
  }

  release(): void {
    if (this.isReleased) return;
    this.isReleased = true;
    this.endpoint.onReleased();
  }
}

/**
 * Whether the request can be said in HTTP/1.1 as it is. node writes methods in capitals, which makes another method of
 * `get`; and a CONNECT without a protocol would be a tunnel to wherever the caller likes.
 */
function isSpeakable(list: HeaderList): boolean {
  const { method } = list;
  return method === method.toUpperCase() && (method !== 'CONNECT' || list.protocol !== '');
}
