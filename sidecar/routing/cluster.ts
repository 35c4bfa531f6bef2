/**
 * A service as its callers see it: where it can be reached, which endpoint is next, how it fares. One per target, for as
 * long as the sidecar calls it; lists of endpoints and policies come and go inside.
 */
import type { Random } from '../../proto/kernel/random.ts';
import type { Breaker } from '../resilience/breaker.ts';
import { TargetCounts } from '../resilience/target-counts.ts';
import { addressOverTls, parseAddress } from './address.ts';
import { Endpoint } from './endpoint.ts';
import { pick } from './p2c.ts';

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

export class Cluster {
  readonly key: string;
  /** Since the last report to the fleet. */
  readonly counts = new TargetCounts();
  /** Set by policy. */
  breaker: Breaker | null = null;
  private readonly random: Random;
  private readonly isStatic: boolean;
  private readonly overTls: boolean;
  private all: readonly Endpoint[] = [];
  /** Those that take new requests: neither draining nor unhealthy, as far as there are such. */
  private serving: readonly Endpoint[] = [];

  constructor(options: ClusterOptions) {
    this.key = options.key;
    this.random = options.random;
    this.overTls = options.overTls ?? false;
    const addresses = options.staticEndpoints ?? [];
    this.isStatic = addresses.length > 0;
    this.replace(addresses.map((address) => ({ instance: '', address, zone: '', draining: false })));
  }

  get endpoints(): readonly Endpoint[] {
    return this.all;
  }

  /**
   * Takes the whole list. An endpoint that stays keeps its object and with it its numbers, unless another instance or
   * zone is there now. Addresses that are none are left out. Answers the endpoints that are gone, whose connections may
   * close once idle.
   */
  updateEndpoints(list: readonly EndpointInput[]): Endpoint[] {
    return this.isStatic ? [] : this.replace(list);
  }

  /** Checks found an endpoint to be in another state than before. */
  onHealthChanged(): void {
    // Nobody healthy: then the checks may be what is wrong, and any endpoint is better than none.
    const settled = this.all.filter((endpoint) => !endpoint.draining);
    const healthy = settled.filter((endpoint) => endpoint.isHealthy);
    this.serving = healthy.length > 0 ? healthy : settled.length > 0 ? settled : this.all;
  }

  /** Undefined when none is known. */
  /** `avoid`: an address to dial that failed a moment ago; another one is taken where there is one. */
  pick(nowMs: number, avoid = ''): Endpoint | undefined {
    const picked = pick(this.serving, this.random, nowMs);
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

  private replace(list: readonly EndpointInput[]): Endpoint[] {
    const before = new Map(this.all.map((endpoint) => [endpoint.address, endpoint]));
    const after = new Map<string, Endpoint>();
    for (const input of list) {
      if (after.size >= endpointsMax) break;
      const endpoint = reuse(before.get(input.address), input) ?? this.create(input);
      if (endpoint) after.set(input.address, endpoint);
    }
    this.all = [...after.values()];
    this.onHealthChanged();
    return [...before.values()].filter((endpoint) => after.get(endpoint.address) !== endpoint);
  }

  private create(input: EndpointInput): Endpoint | undefined {
    const at = parseAddress(input.address);
    const dialAddress = this.overTls ? addressOverTls(this.key, input.address) : input.address;
    return at && new Endpoint({ ...input, at, dialAddress, random: this.random });
  }
}

function reuse(endpoint: Endpoint | undefined, input: EndpointInput): Endpoint | undefined {
  if (endpoint === undefined || endpoint.instance !== input.instance || endpoint.zone !== input.zone) return undefined;
  endpoint.draining = input.draining;
  return endpoint;
}
