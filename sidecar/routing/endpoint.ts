/**
 * One place where a service can be reached, with what the balancer needs to know about it. The numbers are this sidecar's
 * own view; they live as long as the endpoint stays in the list.
 *
 * Several things take an endpoint out. Checks, where the policy asks for them, say that it is unhealthy (`health`). Outlier
 * detection ejects it (`ejection`), its breaker opens. And always: after a failed connection attempt or a lost connection
 * it is left alone for a while, and then one request at a time tries whether it is back.
 */
import type { Random } from '../../proto/kernel/random.ts';
import { Backoff } from '../resilience/backoff.ts';
import type { Breaker } from '../resilience/breaker.ts';
import { Ejection } from '../resilience/ejection.ts';
import type { Health } from '../resilience/health.ts';
import type { Address } from './address.ts';
import { EndpointLoad } from './endpoint-load.ts';
import { PeakEwma } from './peak-ewma.ts';
import { SlowStart, type SlowStartSettings } from './slow-start.ts';

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
  /** null where the policy gives endpoints none. */
  breaker: Breaker | null = null;
  /** False in shadow: it is asked, and not obeyed. */
  obeysBreaker = true;
  /** Not among those that the balancer chooses from. */
  isLeftOut = false;
  readonly ejection = new Ejection();
  readonly latency = new PeakEwma();
  readonly load = new EndpointLoad();
  readonly slowStart = new SlowStart();
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

  /** Better ones are tried first: it cannot be reached, or its breaker is open. */
  isOut(nowMs: number): boolean {
    if (this.breaker !== null && this.obeysBreaker && !this.breaker.admits(nowMs)) return true;
    return this.isUnreachable(nowMs);
  }

  /** It could not be reached, and it is too early to try or another request tries already. */
  isUnreachable(nowMs: number): boolean {
    return this.backoff.failures > 0 && (this.backoff.isWaiting(nowMs) || nowMs < this.trialUntilMs);
  }

  /** A request goes to it. */
  begin(nowMs: number): void {
    this.inFlight++;
    this.requests++;
    if (this.backoff.failures > 0 && !this.isUnreachable(nowMs)) this.trialUntilMs = nowMs + trialMaxMs;
  }

  /** It could not be reached, or a connection to it was lost: left alone for 100 ms, doubling up to 10 s. */
  recordUnreachable(nowMs: number): void {
    this.backoff.recordFailure(nowMs);
    this.endTrial();
  }

  /** It answered something, no matter what. True when it could not be reached before. */
  recordReached(): boolean {
    if (this.backoff.failures === 0) return false;
    this.backoff.recordSuccess();
    this.endTrial();
    return true;
  }

  /** It takes requests again after it took none: little by little, and what is known of it is old. */
  comeBack(settings: SlowStartSettings, nowMs: number): void {
    this.slowStart.begin(settings, nowMs);
    this.latency.forget();
    this.load.forget();
  }

  /** A request ended without saying anything about the endpoint. */
  recordNothing(): void {
    this.endTrial();
  }

  private endTrial(): void {
    this.trialUntilMs = Number.NEGATIVE_INFINITY;
  }
}
