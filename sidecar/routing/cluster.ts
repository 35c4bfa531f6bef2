/**
 * A service as its callers see it: where it can be reached, which endpoint is next, how it fares. One per target, for as
 * long as the sidecar calls it; lists of endpoints and policies come and go inside.
 *
 *   all ── not draining, healthy by their checks ──▶ hosts ── not ejected ──▶ serving ── the balancer ──▶ one of them
 */
import type { Random } from '../../proto/kernel/random.ts';
import { canonicalJson } from '../../proto/policy/canonical-json.ts';
import { Breaker, BreakerState } from '../resilience/breaker.ts';
import { Outcome } from '../resilience/outcome.ts';
import { OutlierDetector } from '../resilience/outlier-detector.ts';
import { TargetCounts } from '../resilience/target-counts.ts';
import { addressOverTls, parseAddress } from './address.ts';
import { type Balancer, makeBalancer, readsReports } from './balancer.ts';
import { Endpoint } from './endpoint.ts';
import { defaultEndpointSettings, type EndpointSettings } from './endpoint-settings.ts';
import { decodeOrca, emptyReport } from './orca.ts';

/** What discovery sends beyond this is ignored. */
export const endpointsMax = 4096;

export interface EndpointInput {
  readonly instance: string;
  readonly address: string;
  readonly zone: string;
  readonly draining: boolean;
}

export interface ClusterOptions {
  /** `<namespace>/<service>` */
  readonly key: string;
  readonly random: Random;
  /** Addresses from the configuration. When there are any, discovered ones are ignored. */
  readonly staticEndpoints?: readonly string[];
  /** Its endpoints are dialled over TLS and must prove that they are of this service. */
  readonly overTls?: boolean;
}

/** One for all: it is read before the next is decoded. */
const report = emptyReport();

export class Cluster {
  readonly key: string;
  /** Since the last report to the fleet. */
  readonly counts = new TargetCounts();
  /** null where the policy has no outlier detection. */
  outliers: OutlierDetector | null = null;
  /** How often endpoints' breakers opened. */
  breakerOpenings = 0;
  /** Whether the balancer goes by what servers say of their load. */
  readsReports = false;
  private readonly random: Random;
  private readonly isStatic: boolean;
  private readonly overTls: boolean;
  private settings: EndpointSettings = defaultEndpointSettings;
  private balancer: Balancer;
  private all: readonly Endpoint[] = [];
  private serving: readonly Endpoint[] = [];
  private lastMs = 0;

  constructor(options: ClusterOptions) {
    this.key = options.key;
    this.random = options.random;
    this.overTls = options.overTls ?? false;
    this.balancer = makeBalancer(this.settings.balancer, this.random);
    const addresses = options.staticEndpoints ?? [];
    this.isStatic = addresses.length > 0;
    this.replace(addresses.map((address) => ({ instance: '', address, zone: '', draining: false })));
  }

  get endpoints(): readonly Endpoint[] {
    return this.all;
  }

  /** To be called with what is in force before each use; where it is what it was, that costs a comparison. */
  obey(settings: EndpointSettings, nowMs: number): void {
    this.lastMs = nowMs;
    if (settings !== this.settings) this.reconfigure(settings, nowMs);
  }

  /**
   * Takes the whole list. An endpoint that stays keeps its object and with it its numbers, unless another instance or
   * zone is there now. Addresses that are none are left out. Answers the endpoints that are gone, whose connections may
   * close once idle.
   */
  updateEndpoints(list: readonly EndpointInput[], nowMs = this.lastMs): Endpoint[] {
    this.lastMs = nowMs;
    return this.isStatic ? [] : this.replace(list);
  }

  /** Checks found an endpoint to be in another state than before. */
  onHealthChanged(nowMs = this.lastMs): void {
    this.lastMs = nowMs;
    // Nobody healthy: then the checks may be what is wrong, and any endpoint is better than none.
    const settled = this.all.filter((endpoint) => !endpoint.draining);
    const healthy = settled.filter((endpoint) => endpoint.isHealthy);
    const hosts = healthy.length > 0 ? healthy : settled.length > 0 ? settled : this.all;
    this.outliers?.setHosts(hosts.map((endpoint) => endpoint.ejection));
    const serving = new Set<Endpoint>(
      this.obeysEjection() ? hosts.filter((endpoint) => !endpoint.ejection.isEjected) : hosts,
    );
    for (const endpoint of this.all) {
      const isIn = serving.has(endpoint);
      if (isIn && endpoint.isLeftOut) endpoint.comeBack(this.settings.slowStart, nowMs);
      endpoint.isLeftOut = !isIn;
    }
    this.serving = [...serving];
    this.balancer.setEndpoints(this.serving);
  }

  /** Undefined when none is known. `avoid`: an address to dial that failed a moment ago; another one where there is one. */
  pick(nowMs: number, avoid = ''): Endpoint | undefined {
    if (this.outliers?.tick(nowMs)) this.onHealthChanged(nowMs);
    const picked = this.balancer.pick(nowMs);
    return avoid === '' || picked?.dialAddress !== avoid ? picked : this.otherThan(picked, nowMs);
  }

  private otherThan(picked: Endpoint, nowMs: number): Endpoint {
    const { serving } = this;
    const start = Math.floor(this.random.next() * serving.length);
    let other = picked;
    for (let step = 0; step < serving.length; step++) {
      const endpoint = serving[(start + step) % serving.length]!;
      if (endpoint === picked) continue;
      if (!endpoint.isOut(nowMs)) return endpoint;
      other = endpoint;
    }
    return other;
  }

  /**
   * A request to it came to its end, its place at the endpoint given back. `latencyMs`: to the beginning of the answer.
   * `load`: what the server said of its load; '' when it said nothing.
   */
  recordAnswer(endpoint: Endpoint, outcome: number, latencyMs: number, load: string, nowMs: number): void {
    if (load !== '' && decodeOrca(load, report)) endpoint.load.record(report, nowMs);
    if (outcome === Outcome.success) endpoint.latency.recordSuccess(latencyMs, nowMs);
    else endpoint.latency.recordFailure(latencyMs, nowMs);
    this.balancer.onAnswer(endpoint, latencyMs, outcome === Outcome.success, nowMs);
    if (this.outliers?.record(endpoint.ejection, outcome, latencyMs, nowMs)) this.onHealthChanged(nowMs);
  }

  /** Its sidecar had no room for a request: it is alive, and another endpoint the better choice. */
  recordNoRoom(endpoint: Endpoint, latencyMs: number, load: string, nowMs: number): void {
    if (load !== '' && decodeOrca(load, report)) endpoint.load.record(report, nowMs);
    endpoint.latency.recordNoRoom(latencyMs, nowMs);
    this.balancer.onAnswer(endpoint, latencyMs, false, nowMs);
  }

  /** No connection: that says nothing about how fast it answers once there is one. */
  recordUnreachable(endpoint: Endpoint, nowMs: number): void {
    if (this.outliers?.record(endpoint.ejection, Outcome.failure, 0, nowMs)) this.onHealthChanged(nowMs);
  }

  /** It could not be reached, and now it was. */
  warm(endpoint: Endpoint, nowMs: number): void {
    endpoint.comeBack(this.settings.slowStart, nowMs);
  }

  private reconfigure(settings: EndpointSettings, nowMs: number): void {
    const before = this.settings;
    this.settings = settings;
    if (!isSame(settings.balancer, before.balancer)) {
      this.balancer = makeBalancer(settings.balancer, this.random);
      this.readsReports = readsReports(settings.balancer);
    }
    if (settings.outliers === null) {
      this.outliers = null;
      for (const { ejection } of this.all) if (ejection.isEjected) ejection.comeBack();
    } else if (this.outliers === null) this.outliers = new OutlierDetector(settings.outliers);
    else this.outliers.reconfigure(settings.outliers);
    for (const endpoint of this.all) this.armBreaker(endpoint, nowMs);
    this.onHealthChanged(nowMs);
  }

  private obeysEjection(): boolean {
    return this.outliers !== null && !this.outliers.isShadow;
  }

  private armBreaker(endpoint: Endpoint, nowMs: number): void {
    const { breaker: settings, shadow } = this.settings;
    endpoint.obeysBreaker = !shadow;
    if (settings === null) endpoint.breaker = null;
    else if (endpoint.breaker !== null) endpoint.breaker.reconfigure(settings, nowMs);
    else {
      endpoint.breaker = new Breaker(settings, ({ to }) => {
        if (to === BreakerState.open) this.breakerOpenings++;
      });
    }
  }

  private replace(list: readonly EndpointInput[]): Endpoint[] {
    const before = new Map(this.all.map((endpoint) => [endpoint.address, endpoint]));
    const after = new Map<string, Endpoint>();
    for (const input of list) {
      if (after.size >= endpointsMax) break;
      const endpoint = reuse(before.get(input.address), input) ?? this.create(input, before.size > 0);
      if (endpoint) after.set(input.address, endpoint);
    }
    this.all = [...after.values()];
    this.onHealthChanged();
    return [...before.values()].filter((endpoint) => after.get(endpoint.address) !== endpoint);
  }

  /** Where there were none before, all are new, and nobody could stand in for them while they warm up. */
  private create(input: EndpointInput, warmsUp: boolean): Endpoint | undefined {
    const at = parseAddress(input.address);
    if (at === undefined) return undefined;
    const dialAddress = this.overTls ? addressOverTls(this.key, input.address) : input.address;
    const endpoint = new Endpoint({ ...input, at, dialAddress, random: this.random });
    if (warmsUp) endpoint.slowStart.begin(this.settings.slowStart, this.lastMs);
    this.armBreaker(endpoint, this.lastMs);
    return endpoint;
  }
}

function reuse(endpoint: Endpoint | undefined, input: EndpointInput): Endpoint | undefined {
  if (endpoint === undefined || endpoint.instance !== input.instance || endpoint.zone !== input.zone) return undefined;
  endpoint.draining = input.draining;
  return endpoint;
}

function isSame(left: object, right: object): boolean {
  return canonicalJson(left) === canonicalJson(right);
}
