/**
 * The power of two choices (Mitzenmacher 2001): of two endpoints picked at random the better one. Nearly as even as asking
 * all of them, at the cost of asking two; and unlike "the best of all", many callers that know little of each other do not
 * all run to the same endpoint. What is better: fewer requests in flight, or less of what a new request would wait for,
 * which is requests in flight × the time that this endpoint takes for one (Finagle's peak EWMA).
 */
import type { Random } from '../../proto/kernel/random.ts';
import type { Endpoint } from './endpoint.ts';

/** Of an endpoint, for one more request; the lower is the better. */
type Load = (endpoint: Endpoint, nowMs: number) => number;

class PowerOfTwo {
  private readonly random: Random;
  private readonly load: Load;
  private endpoints: readonly Endpoint[] = [];

  constructor(random: Random, load: Load) {
    this.random = random;
    this.load = load;
  }

  setEndpoints(endpoints: readonly Endpoint[]): void {
    this.endpoints = endpoints;
  }

  pick(nowMs: number): Endpoint | undefined {
    return pickOfTwo(this.endpoints, this.random, nowMs, this.load);
  }

  onAnswer(): void {}
}

export class LeastRequest extends PowerOfTwo {
  constructor(random: Random) {
    super(random, requestsInFlight);
  }
}

export class P2cPeakEwma extends PowerOfTwo {
  constructor(random: Random) {
    super(random, expectedWait);
  }
}

export function requestsInFlight(endpoint: Endpoint): number {
  return endpoint.inFlight;
}

/** Nobody knows how long one takes that was never asked: one request at a time finds out, as long as nothing is known. */
function expectedWait(endpoint: Endpoint, nowMs: number): number {
  if (!endpoint.latency.isKnown && endpoint.inFlight === 0) return 0;
  return endpoint.latency.read(nowMs) * (endpoint.inFlight + 1);
}

/** Undefined only for an empty list. */
export function pickOfTwo(
  endpoints: readonly Endpoint[],
  random: Random,
  nowMs: number,
  costOf: Load,
): Endpoint | undefined {
  const count = endpoints.length;
  if (count <= 1) return endpoints[0];
  const i = Math.floor(random.next() * count);
  // One of the others, each as likely.
  const j = (i + 1 + Math.floor(random.next() * (count - 1))) % count;
  const first = endpoints[i]!;
  const second = endpoints[j]!;
  const firstOut = first.isOut(nowMs);
  const secondOut = second.isOut(nowMs);
  if (firstOut && secondOut) return firstNotOut(endpoints, i, nowMs) ?? first;
  if (firstOut || secondOut) return firstOut ? second : first;
  const isSecond = costOf(second, nowMs) < costOf(first, nowMs);
  const better = isSecond ? second : first;
  if (!better.slowStart.standsBack(nowMs)) return better;
  return isSecond ? first : second;
}

/** The first from `from` on, around the list; undefined when all are out. */
export function firstNotOut(endpoints: readonly Endpoint[], from: number, nowMs: number): Endpoint | undefined {
  for (let step = 0; step < endpoints.length; step++) {
    const endpoint = endpoints[(from + step) % endpoints.length]!;
    if (!endpoint.isOut(nowMs)) return endpoint;
  }
  return undefined;
}
