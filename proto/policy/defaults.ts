/**
 * Defaults as a step of their own: the stored document stays what its author wrote, and everything that acts on a
 * policy (bundles, sidecars, the "effective" view) sees it with every default filled in. Applying it twice changes
 * nothing.
 */
import { formatDuration, parseDuration } from '../kernel/duration.ts';
import { defaultBurst, parseRate } from './rate.ts';
import type {
  CircuitBreakerSpec,
  ConcurrencySpec,
  DeadlineSpec,
  Enforcement,
  FlowControlSpec,
  HealthCheckSpec,
  HealthProbeSpec,
  InboundSpec,
  KeySpec,
  OutboundSpec,
  PolicySpec,
  QueueSpec,
  RateLimitSpec,
} from './schema.ts';

/** Used also where no policy says anything, since a connection attempt must end. */
export const defaultConnectTimeout = '1s';
export const defaultKeysMax = 10_000;
const defaultQueue: Required<QueueSpec> = { requestsMax: 100, bytesMax: '1MiB', waitMax: '200ms' };
const defaultFailureRatio = { percent: 50, minRequests: 20, window: '2s' };
const defaultConsecutiveFailures = 5;
const defaultOpenFor = '1s';
const defaultOpenForMax = '15s';
const defaultProbes = 3;
const defaultCheckInterval = '10s';
const defaultCheckTimeout = '1s';
const defaultUnhealthyAfter = 3;
const defaultHealthyAfter = 2;

export interface EffectiveRateLimit {
  name: string;
  scope: 'perProxy';
  rate: string;
  burst: number;
  key?: KeySpec;
  keysMax?: number;
}

export interface EffectiveInbound {
  rateLimits: EffectiveRateLimit[];
  concurrency?: ConcurrencySpec;
  queue?: Required<QueueSpec>;
  deadline?: DeadlineSpec;
  flowControl?: FlowControlSpec;
}

export interface EffectiveBreaker {
  consecutiveFailures?: number;
  failureRatio?: { percent: number; minRequests: number; window: string };
  openFor: string;
  openForMax: string;
  halfOpen: { probes: number };
  fleet: { enabled: boolean };
}

export interface EffectiveHealthCheck {
  probe: HealthProbeSpec;
  interval: string;
  timeout: string;
  unhealthyAfter: number;
  healthyAfter: number;
}

export interface EffectiveOutbound {
  timeout?: string;
  connectTimeout: string;
  circuitBreaker?: EffectiveBreaker;
  healthCheck?: EffectiveHealthCheck;
}

/** A PolicySpec with nothing left open; it is itself a valid PolicySpec. */
export interface EffectiveSpec {
  target: { service: string };
  enforcement: Enforcement;
  inbound: EffectiveInbound;
  outbound: EffectiveOutbound;
}

/** Takes a spec that has passed parsing. */
export function withDefaults(spec: PolicySpec): EffectiveSpec {
  return {
    target: { service: spec.target.service },
    enforcement: spec.enforcement ?? 'enforce',
    inbound: inboundWithDefaults(spec.inbound ?? {}),
    outbound: outboundWithDefaults(spec.outbound ?? {}),
  };
}

function inboundWithDefaults(inbound: InboundSpec): EffectiveInbound {
  return {
    rateLimits: (inbound.rateLimits ?? []).map(rateLimitWithDefaults),
    ...(inbound.concurrency && { concurrency: inbound.concurrency }),
    ...(inbound.queue && { queue: { ...defaultQueue, ...inbound.queue } }),
    ...(inbound.deadline && { deadline: inbound.deadline }),
    ...(inbound.flowControl && { flowControl: inbound.flowControl }),
  };
}

function rateLimitWithDefaults(limit: RateLimitSpec): EffectiveRateLimit {
  return {
    name: limit.name,
    scope: 'perProxy',
    rate: limit.rate,
    burst: limit.burst ?? defaultBurst(parseRate(limit.rate) ?? 1),
    ...(limit.key && { key: limit.key, keysMax: limit.keysMax ?? defaultKeysMax }),
  };
}

function outboundWithDefaults(outbound: OutboundSpec): EffectiveOutbound {
  return {
    ...(outbound.timeout !== undefined && { timeout: outbound.timeout }),
    connectTimeout: outbound.connectTimeout ?? defaultConnectTimeout,
    ...(outbound.circuitBreaker && { circuitBreaker: breakerWithDefaults(outbound.circuitBreaker) }),
    ...(outbound.healthCheck && { healthCheck: healthCheckWithDefaults(outbound.healthCheck) }),
  };
}

function breakerWithDefaults(breaker: CircuitBreakerSpec): EffectiveBreaker {
  const { consecutiveFailures, failureRatio } = breaker;
  const conditions =
    consecutiveFailures === undefined && failureRatio === undefined
      ? { consecutiveFailures: defaultConsecutiveFailures, failureRatio: defaultFailureRatio }
      : {
          ...(consecutiveFailures !== undefined && { consecutiveFailures }),
          ...(failureRatio && { failureRatio: { ...defaultFailureRatio, ...failureRatio } }),
        };
  return {
    ...conditions,
    ...coolDownWithDefaults(breaker),
    halfOpen: { probes: breaker.halfOpen?.probes ?? defaultProbes },
    fleet: { enabled: breaker.fleet?.enabled ?? true },
  };
}

function coolDownWithDefaults({ openFor, openForMax }: CircuitBreakerSpec): { openFor: string; openForMax: string } {
  const [least, most] = ordered(openFor, openForMax, defaultOpenFor, defaultOpenForMax);
  return { openFor: least, openForMax: most };
}

function healthCheckWithDefaults(check: HealthCheckSpec): EffectiveHealthCheck {
  const { http } = check.probe;
  const [timeout, interval] = ordered(check.timeout, check.interval, defaultCheckTimeout, defaultCheckInterval);
  return {
    probe: http === undefined ? check.probe : { http: { ...http, protocol: http.protocol ?? 'http1' } },
    interval,
    timeout,
    unhealthyAfter: check.unhealthyAfter ?? defaultUnhealthyAfter,
    healthyAfter: check.healthyAfter ?? defaultHealthyAfter,
  };
}

/** A default never contradicts what was written: the one that is missing gives way to the one that is there. */
function ordered(
  lesser: string | undefined,
  greater: string | undefined,
  defaultLesser: string,
  defaultGreater: string,
): [lesser: string, greater: string] {
  const ms = (text: string): number => parseDuration(text) ?? 0;
  if (lesser !== undefined && greater === undefined) {
    return [lesser, formatDuration(Math.max(ms(lesser), ms(defaultGreater)))];
  }
  if (lesser === undefined && greater !== undefined) {
    return [formatDuration(Math.min(ms(greater), ms(defaultLesser))), greater];
  }
  return [lesser ?? defaultLesser, greater ?? defaultGreater];
}
