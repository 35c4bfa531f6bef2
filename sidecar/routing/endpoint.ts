/**
 * One place where a service can be reached, with what the balancer needs to know about it. The numbers are this sidecar's
 * own view; they live as long as the endpoint stays in the list.
 */
import type { Address } from './address.ts';

const backoffFirstMs = 100;
const backoffMaxMs = 10_000;

export interface EndpointOptions {
  /** The text that `at` was parsed from; it identifies the endpoint. */
  readonly address: string;
  readonly at: Address;
  readonly instance: string;
  readonly zone: string;
  readonly draining: boolean;
}

export class Endpoint {
  readonly address: string;
  /** Empty for a unix socket. */
  readonly host: string;
  /** 0 for a unix socket. */
  readonly port: number;
  /** Of a unix socket, else empty. */
  readonly path: string;
  readonly instance: string;
  readonly zone: string;
  /** It asked for no new requests. */
  draining: boolean;
  inFlight = 0;
  requests = 0;
  failures = 0;
  /** Connecting failed; better ones are tried first until then. */
  connectFailedUntilMs = Number.NEGATIVE_INFINITY;
  private connectFailures = 0;

  constructor(options: EndpointOptions) {
    this.address = options.address;
    this.host = options.at.host;
    this.port = options.at.port;
    this.path = options.at.path;
    this.instance = options.instance;
    this.zone = options.zone;
    this.draining = options.draining;
  }

  /** A connection attempt failed: left alone for 100 ms, doubling up to 10 s. */
  recordConnectFailure(nowMs: number): void {
    this.connectFailedUntilMs =
      nowMs + Math.min(backoffMaxMs, backoffFirstMs * 2 ** Math.min(this.connectFailures, 16));
    this.connectFailures++;
  }

  recordConnected(): void {
    this.connectFailures = 0;
    this.connectFailedUntilMs = Number.NEGATIVE_INFINITY;
  }

  isBackingOff(nowMs: number): boolean {
    return nowMs < this.connectFailedUntilMs;
  }
}
