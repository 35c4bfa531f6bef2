/**
 * One place where a service can be reached, with what the balancer needs to know about it. The numbers are this sidecar's
 * own view; they live as long as the endpoint stays in the list.
 *
 * Two things take an endpoint out. Checks, where the policy asks for them, say that it is unhealthy (`health`). And what
 * happens to requests: after a failed connection attempt or a lost connection it is left alone for a while, and then one
 * request at a time tries whether it is back.
 */
import type { Random } from '../../proto/kernel/random.ts';
import { Backoff } from '../resilience/backoff.ts';
import type { Health } from '../resilience/health.ts';
import type { Address } from './address.ts';

const backoffSettings = { firstMs: 100, maxMs: 10_000, jitterShare: 0.2 };
/** A request that tries whether the endpoint is back, and is not heard of, lets another try after this. */
const trialMaxMs = 10_000;

export interface EndpointOptions {
  /** The text that `at` was parsed from; it identifies the endpoint. */
  readonly address: string;
  /** Default: the address. */
  readonly dialAddress?: string;
  readonly at: Address;
  readonly instance: string;
  readonly zone: string;
  readonly draining: boolean;
  readonly random: Random;
}

export class Endpoint {
  readonly address: string;
  /** The address as the pool takes it, with TLS and the service to be proved where that is asked for. */
  readonly dialAddress: string;
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
  /** null without checks. */
  health: Health | null = null;
  private readonly backoff: Backoff;
  /** Until when the request that tries it is waited for. */
  private trialUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: EndpointOptions) {
    this.address = options.address;
    this.dialAddress = options.dialAddress ?? options.address;
    this.host = options.at.host;
    this.port = options.at.port;
    this.path = options.at.path;
    this.instance = options.instance;
    this.zone = options.zone;
    this.draining = options.draining;
    this.backoff = new Backoff(backoffSettings, options.random);
  }

  get isHealthy(): boolean {
    return this.health === null || this.health.isHealthy;
  }

  /** Better ones are tried first: it could not be reached, and it is too early to try or another request tries already. */
  isOut(nowMs: number): boolean {
    return this.backoff.failures > 0 && (this.backoff.isWaiting(nowMs) || nowMs < this.trialUntilMs);
  }

  /** A request goes to it. */
  begin(nowMs: number): void {
    this.inFlight++;
    this.requests++;
    if (this.backoff.failures > 0 && !this.isOut(nowMs)) this.trialUntilMs = nowMs + trialMaxMs;
  }

  /** It could not be reached, or a connection to it was lost: left alone for 100 ms, doubling up to 10 s. */
  recordUnreachable(nowMs: number): void {
    this.backoff.recordFailure(nowMs);
    this.endTrial();
  }

  /** It answered something, no matter what. */
  recordReached(): void {
    if (this.backoff.failures === 0) return;
    this.backoff.recordSuccess();
    this.endTrial();
  }

  /** A request ended without saying anything about the endpoint. */
  recordNothing(): void {
    this.endTrial();
  }

  private endTrial(): void {
    this.trialUntilMs = Number.NEGATIVE_INFINITY;
  }
}
