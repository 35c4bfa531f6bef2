/**
 * Connections to the endpoints: HTTP/2 ones are kept here, a few per endpoint (endpoint-connections.ts); HTTP/1.1 goes
 * through node's agent.
 */
import { type Random, XorShift32 } from '../../../proto/kernel/random.ts';
import { Protocol, type Upstreams, type UpstreamWaiter } from '../../exchange/http-stream.ts';
import { type ConnectionLimits, defaultLimits } from '../../http2/limits.ts';
import { tick } from '../clock.ts';
import { Http1Upstream } from '../http1-upstream.ts';
import type { UpstreamTls } from '../tls/upstream-tls.ts';
import {
  defaultPoolSettings,
  EndpointConnections,
  type EndpointView,
  type PoolSettings,
} from './endpoint-connections.ts';
import { noCounts } from './pool-counts.ts';

export interface PoolOptions {
  readonly limits?: ConnectionLimits;
  readonly settings?: Partial<PoolSettings>;
  readonly random?: Random;
}

export class UpstreamPool implements Upstreams {
  private readonly endpoints = new Map<string, EndpointConnections>();
  private readonly http1: Http1Upstream;
  private readonly limits: ConnectionLimits;
  private readonly settings: PoolSettings;
  private readonly random: Random;
  readonly counts = noCounts();
  private tls: UpstreamTls | null = null;
  /** Runs while there are endpoints. */
  private timer: NodeJS.Timeout | null = null;

  constructor({ limits = defaultLimits, settings, random = new XorShift32(1) }: PoolOptions = {}) {
    this.limits = limits;
    this.http1 = new Http1Upstream(limits);
    this.settings = { ...defaultPoolSettings, ...settings };
    this.random = random;
  }

  /** Before the first dial to an address over TLS. */
  useTls(tls: UpstreamTls | null): void {
    this.tls = tls;
    this.http1.tls = tls;
  }

  connect(address: string, protocol: number, connectTimeoutMs: number, waiter: UpstreamWaiter): void {
    if (protocol === Protocol.http1) {
      return this.http1.connect(address, connectTimeoutMs, waiter);
    }
    const endpoint = this.endpoints.get(address) ?? this.addEndpoint(address);
    endpoint.connect(connectTimeoutMs, waiter);
  }

  cancel(address: string, protocol: number, waiter: UpstreamWaiter): void {
    if (protocol === Protocol.http1) this.http1.cancel(address, waiter);
    else this.endpoints.get(address)?.cancel(waiter);
  }

  /** Whether an HTTP/2 connection to it stands. */
  isConnected(address: string): boolean {
    return (this.endpoints.get(address)?.open ?? 0) > 0;
  }

  /** The endpoint is gone: its connections end with their last request. */
  leave(address: string): void {
    this.endpoints.get(address)?.leave();
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

  view(): EndpointView[] {
    return [...this.endpoints.values()].map((endpoint) => endpoint.view());
  }

  close(): void {
    this.stopTicking();
    for (const endpoint of this.endpoints.values()) endpoint.close();
    this.http1.close();
  }

  private addEndpoint(address: string): EndpointConnections {
    const endpoint = new EndpointConnections({
      address,
      limits: this.limits,
      settings: this.settings,
      random: this.random,
      tls: this.tls,
      counts: this.counts,
    });
    this.endpoints.set(address, endpoint);
    if (this.timer === null) {
      this.timer = setInterval(() => this.onTick(), this.settings.tickMs);
      this.timer.unref();
    }
    return endpoint;
  }

  private onTick(): void {
    const nowMs = tick();
    for (const [address, endpoint] of this.endpoints) {
      endpoint.tick(nowMs);
      if (endpoint.isUnused) this.endpoints.delete(address);
    }
    if (this.endpoints.size === 0) this.stopTicking();
  }

  private stopTicking(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }
}
