/**
 * How many instances a service wants: what is under way, what waits, and the concurrency that the refused work would
 * need, over the concurrency that one instance is to have. Where the service itself is refused by what it calls, more
 * instances would only be refused more, so their number is kept and the bottleneck is said to be downstream.
 *
 * What is not known never makes fewer: with an instance that is not heard there are as many wanted as there are, and
 * with nobody heard there is no answer at all.
 */

/** The last heartbeats of a service and of its callers, added up. */
export interface DemandReading {
  /** Heard, with rates. */
  readonly known: number;
  /** There lately, but silent, or heard only once. */
  readonly unknown: number;
  /** From arrival to the end, the waiting ones included. */
  readonly inFlight: number;
  readonly queued: number;
  readonly requestsPerSecond: number;
  /** Of them what came to an end in the app. */
  readonly finishedPerSecond: number;
  /** What the service refused for want of capacity. */
  readonly shedPerSecond: number;
  /** Calls of the service that breakers or pushback refused. */
  readonly downstreamRefusedPerSecond: number;
  /** Requests of callers that found no instance. */
  readonly unservedPerSecond: number;
  /** Sum of the limits of those that have one, and how many have. */
  readonly limit: number;
  readonly limited: number;
}

/** Of a service that nobody has and nobody asks for. */
export const noDemand: DemandReading = {
  known: 0,
  unknown: 0,
  inFlight: 0,
  queued: 0,
  requestsPerSecond: 0,
  finishedPerSecond: 0,
  shedPerSecond: 0,
  downstreamRefusedPerSecond: 0,
  unservedPerSecond: 0,
  limit: 0,
  limited: 0,
};

export type Bottleneck = 'none' | 'service' | 'downstream';

export interface ScalingDecision {
  /** Null: not known, and nothing should be changed. */
  readonly wanted: number | null;
  /** Requests at once that the service would have if it refused none for want of capacity. */
  readonly demand: number;
  readonly targetConcurrency: number;
  readonly bottleneck: Bottleneck;
  readonly explanation: string;
}

export const targetConcurrencyMin = 0.01;
export const targetConcurrencyMax = 1_000_000;
/** Of its limit, what an instance is to have where nobody said it. */
const limitShare = 0.7;
const targetWithoutLimit = 10;
/** Refused calls of its own, of its requests, from which the service counts as held up by what it calls. */
export const downstreamShareMin = 0.1;
/** The time of a request that nobody has seen end. */
const unknownSeconds = 1;
/** Streams may last for ever; what is refused is not believed to last longer. */
const secondsMax = 60;
export const wantedMax = 100_000;

/** Refused because the service could not take more: more instances would have taken it. */
export const capacityReasons: ReadonlySet<string> = new Set([
  'queue_full',
  'queue_timeout',
  'shed',
  'evicted',
  'queue_shed',
  'deadline_unreachable',
  'proxy_overload',
  'degraded',
]);

/** Refused for the sake of what is called. */
export const downstreamReasons: ReadonlySet<string> = new Set([
  'breaker_open',
  'fleet_breaker_open',
  'upstream_level',
  'client_throttle',
]);

export function decideScaling(reading: DemandReading, target?: number): ScalingDecision {
  const targetConcurrency = target ?? defaultTarget(reading);
  const decision = (wanted: number | null, demand: number, bottleneck: Bottleneck, explanation: string) => ({
    wanted: wanted === null ? null : Math.min(wantedMax, wanted),
    demand: rounded(demand),
    targetConcurrency,
    bottleneck,
    explanation,
  });
  const { known, unknown, unservedPerSecond } = reading;
  if (known === 0) {
    if (unknown > 0 || unservedPerSecond === 0) return decision(null, 0, 'none', 'not known: no instance is heard');
    const demand = unservedPerSecond * unknownSeconds;
    return decision(
      instancesFor(demand, targetConcurrency),
      demand,
      'service',
      `no instance, and ${rounded(unservedPerSecond)} requests/s find none`,
    );
  }
  const there = known + unknown;
  const busy = Math.max(reading.inFlight, reading.queued);
  if (isHeldUp(reading)) {
    const refused = rounded(reading.downstreamRefusedPerSecond);
    const explanation = `kept at ${there}: ${refused} calls/s are refused for what it calls`;
    return decision(there, busy, 'downstream', explanation);
  }
  const demand = busy + reading.shedPerSecond * secondsOf(reading);
  const enough = instancesFor(demand, targetConcurrency);
  const wanted = unknown > 0 ? Math.max(there, enough) : enough;
  const silent = unknown > 0 ? `, of ${unknown} instances it is not known` : '';
  return decision(
    wanted,
    demand,
    reading.shedPerSecond > 0 || wanted > there ? 'service' : 'none',
    `${rounded(busy)} at once and ${rounded(demand - busy)} refused, ${rounded(targetConcurrency)} each${silent}`,
  );
}

/** What an autoscaler that divides by the target is to be told, so that it finds `wanted`. */
export function signalOf({ wanted, demand, targetConcurrency }: ScalingDecision): number | null {
  if (wanted === null) return null;
  return instancesFor(demand, targetConcurrency) === wanted ? demand : wanted * targetConcurrency;
}

function isHeldUp({ downstreamRefusedPerSecond, requestsPerSecond }: DemandReading): boolean {
  return downstreamRefusedPerSecond > 0 && downstreamRefusedPerSecond >= downstreamShareMin * requestsPerSecond;
}

/** By Little's law, without the time in the queue. */
function secondsOf({ inFlight, queued, finishedPerSecond }: DemandReading): number {
  if (finishedPerSecond <= 0) return unknownSeconds;
  return Math.min(secondsMax, Math.max(0, inFlight - queued) / finishedPerSecond);
}

function defaultTarget({ limit, limited }: DemandReading): number {
  if (limited === 0) return targetWithoutLimit;
  return Math.min(targetConcurrencyMax, Math.max(targetConcurrencyMin, (limitShare * limit) / limited));
}

const instancesFor = (demand: number, target: number): number => Math.ceil(rounded(demand) / target);
const rounded = (value: number): number => Math.round(value * 100) / 100;
