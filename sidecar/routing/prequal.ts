/**
 * Prequal (Wydrowski et al., NSDI 2024): do not balance load, pick the endpoint that will be done soonest. A pool holds
 * what at most 16 endpoints lately told: their requests in flight and how long they take. Those whose requests in flight
 * lie above the 0.84 quantile of the pool are hot; of the others, the cold, the fastest is taken.
 *
 * The paper sends probes of its own. Here every answer is one: it says how long it took, and from a server that reports
 * its load (orca.ts) how many requests all its callers have there; else our own count stands for them. What is known is
 * good for one pick, and for a second, with our own requests since then added and the time grown with them. So that it
 * stays about all endpoints, every fourth pick goes to somebody at random of whom nothing is known, if nothing of ours is
 * under way there: an endpoint that stalls holds one request of each caller, and not a queue.
 */
import type { Random } from '../../proto/kernel/random.ts';
import type { Endpoint } from './endpoint.ts';
import { pickOfTwo, requestsInFlight } from './p2c.ts';

export interface PrequalSettings {
  /** Endpoints in the pool. */
  readonly poolMax: number;
  /** Requests in flight above this quantile, 0..1, are hot. */
  readonly hotQuantile: number;
  readonly maxAgeMs: number;
}

export const defaultPrequal: PrequalSettings = { poolMax: 16, hotQuantile: 0.84, maxAgeMs: 1000 };

const exploreEvery = 4;
/**
 * An answer is good for one pick: who was told the same by it would all run to the same endpoint, and four callers of ten
 * uneven replicas at 90 % of what they can do missed 6 % of deadlines when it was good for four, none when for one.
 */
const usesMax = 1;
/** How much of a new answer's time goes into the estimate. */
const latencyWeight = 0.3;
const latencyMaxMs = 60_000;

interface Entry {
  endpoint: Endpoint | null;
  latencyMs: number;
  /** Requests of others, as far as the server says. */
  others: number;
  /** When it took that long. */
  requestsThen: number;
  /** How often it was picked since it told. */
  uses: number;
  atMs: number;
}

export class Prequal {
  private readonly settings: PrequalSettings;
  private readonly random: Random;
  private readonly pool: Entry[];
  /** Requests in flight of the pool's endpoints, in order. */
  private readonly sorted: Float64Array;
  private endpoints: readonly Endpoint[] = [];
  private picks = 0;

  constructor(settings: PrequalSettings, random: Random) {
    this.settings = settings;
    this.random = random;
    this.pool = Array.from({ length: settings.poolMax }, () => ({
      endpoint: null,
      latencyMs: 0,
      others: 0,
      requestsThen: 0,
      uses: 0,
      atMs: Number.NEGATIVE_INFINITY,
    }));
    this.sorted = new Float64Array(settings.poolMax);
  }

  setEndpoints(endpoints: readonly Endpoint[]): void {
    this.endpoints = endpoints;
    const present = new Set(endpoints);
    for (const entry of this.pool) if (entry.endpoint !== null && !present.has(entry.endpoint)) entry.endpoint = null;
  }

  pick(nowMs: number): Endpoint | undefined {
    const { endpoints } = this;
    if (endpoints.length <= 1) return endpoints[0];
    const fresh = this.countFresh(nowMs);
    this.picks++;
    if (this.picks % exploreEvery === 0 || fresh * 2 < Math.min(this.pool.length, endpoints.length)) {
      const stranger = endpoints[Math.floor(this.random.next() * endpoints.length)]!;
      if (stranger.inFlight === 0 && !stranger.isOut(nowMs) && !this.isKnown(stranger, nowMs)) {
        if (!stranger.slowStart.standsBack(nowMs)) return stranger;
      }
    }
    const best = this.best(nowMs);
    if (best === null) return pickOfTwo(endpoints, this.random, nowMs, requestsInFlight);
    if (!best.slowStart.standsBack(nowMs)) return best;
    return pickOfTwo(endpoints, this.random, nowMs, requestsInFlight);
  }

  onAnswer(endpoint: Endpoint, latencyMs: number, isGood: boolean, nowMs: number): void {
    const entry = this.entryFor(endpoint, nowMs);
    const isNew = entry.endpoint !== endpoint || !this.isFresh(entry, nowMs);
    // Who refuses or fails fast is not fast: it comes after everybody.
    const sampleMs = isGood ? latencyMs : Math.min(latencyMaxMs, 2 * Math.max(latencyMs, this.slowestMs(nowMs)));
    entry.endpoint = endpoint;
    entry.latencyMs = isNew || !isGood ? sampleMs : entry.latencyMs + latencyWeight * (sampleMs - entry.latencyMs);
    const { load } = endpoint;
    // The server counted the request that it has just answered; the endpoint's own count no longer does.
    entry.others = load.reportedMs === nowMs && load.inFlight >= 0 ? Math.max(0, load.inFlight - endpoint.inFlight) : 0;
    entry.requestsThen = entry.others + endpoint.inFlight;
    entry.atMs = nowMs;
    entry.uses = 0;
  }

  private best(nowMs: number): Endpoint | null {
    const hotAbove = this.hotAbove(nowMs);
    let best: Entry | null = null;
    let bestMs = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.pool.length; i++) {
      const entry = this.pool[i]!;
      const { endpoint } = entry;
      if (endpoint === null || !this.isFresh(entry, nowMs) || endpoint.isOut(nowMs)) continue;
      const requests = entry.others + endpoint.inFlight;
      if (requests > hotAbove || entry.uses >= usesMax) continue;
      const expectedMs = entry.latencyMs * Math.max(1, (requests + 1) / (entry.requestsThen + 1));
      if (expectedMs >= bestMs) continue;
      best = entry;
      bestMs = expectedMs;
    }
    if (best === null) return null;
    best.uses++;
    return best.endpoint;
  }

  /** The quantile over the endpoints of the pool that could be picked. By insertion: they are few, and nearly in order. */
  private hotAbove(nowMs: number): number {
    const { sorted } = this;
    let count = 0;
    for (let i = 0; i < this.pool.length; i++) {
      const entry = this.pool[i]!;
      const { endpoint } = entry;
      if (endpoint === null || !this.isFresh(entry, nowMs) || endpoint.isOut(nowMs)) continue;
      const requests = entry.others + endpoint.inFlight;
      let at = count++;
      for (; at > 0 && sorted[at - 1]! > requests; at--) sorted[at] = sorted[at - 1]!;
      sorted[at] = requests;
    }
    return count === 0 ? 0 : sorted[Math.floor(this.settings.hotQuantile * (count - 1))]!;
  }

  /** Its own entry, else an unused one, else the oldest. */
  private entryFor(endpoint: Endpoint, nowMs: number): Entry {
    let oldest = this.pool[0]!;
    for (let i = 0; i < this.pool.length; i++) {
      const entry = this.pool[i]!;
      if (entry.endpoint === endpoint) return entry;
      const atMs = entry.endpoint === null || !this.isFresh(entry, nowMs) ? Number.NEGATIVE_INFINITY : entry.atMs;
      const oldestMs = oldest.endpoint === null ? Number.NEGATIVE_INFINITY : oldest.atMs;
      if (atMs < oldestMs) oldest = entry;
    }
    return oldest;
  }

  private isKnown(endpoint: Endpoint, nowMs: number): boolean {
    for (let i = 0; i < this.pool.length; i++) {
      if (this.pool[i]!.endpoint === endpoint) return this.isFresh(this.pool[i]!, nowMs);
    }
    return false;
  }

  private isFresh(entry: Entry, nowMs: number): boolean {
    return nowMs - entry.atMs <= this.settings.maxAgeMs;
  }

  private countFresh(nowMs: number): number {
    let fresh = 0;
    for (let i = 0; i < this.pool.length; i++) {
      if (this.pool[i]!.endpoint !== null && this.isFresh(this.pool[i]!, nowMs)) fresh++;
    }
    return fresh;
  }

  private slowestMs(nowMs: number): number {
    let slowest = 0;
    for (let i = 0; i < this.pool.length; i++) {
      const entry = this.pool[i]!;
      if (entry.endpoint !== null && this.isFresh(entry, nowMs)) slowest = Math.max(slowest, entry.latencyMs);
    }
    return slowest;
  }
}
