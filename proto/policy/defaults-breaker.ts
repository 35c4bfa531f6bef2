/** The circuit breaker with nothing left open. */
import { formatDuration, parseDuration } from '../kernel/duration.ts';
import { ordered } from './defaults-ordered.ts';
import type { CircuitBreakerSpec, FailureRatioSpec, SlowCallsSpec } from './schema-breaker.ts';

const defaultPercent = 50;
const defaultMinRequests = 20;
const defaultWindow = '2s';
const defaultConsecutiveFailures = 5;
const defaultSlowerThan = '1s';
const defaultOpenFor = '1s';
/** A recovered service is lost for as long; three probes a caller every two seconds harm nobody. */
const defaultOpenForMax = '2s';
const defaultProbes = 3;

export interface EffectiveShare {
  percent: number;
  minRequests: number;
  /** Either this or windowRequests. */
  window?: string;
  windowRequests?: number;
}

export interface EffectiveSlowCalls extends EffectiveShare {
  slowerThan: string;
}

export interface EffectiveBreaker {
  scope: 'perService' | 'perEndpoint';
  consecutiveFailures?: number;
  failureRatio?: EffectiveShare;
  slowCalls?: EffectiveSlowCalls;
  openFor: string;
  openForMax: string;
  halfOpen: { probes: number };
  fleet: { enabled: boolean };
}

/** `timeout`: that of the requests, where they have one. */
export function breakerWithDefaults(breaker: CircuitBreakerSpec, timeout: string | undefined): EffectiveBreaker {
  const scope: EffectiveBreaker['scope'] = breaker.scope === 'perEndpoint' ? 'perEndpoint' : 'perService';
  return {
    scope,
    ...conditionsWithDefaults(breaker, timeout),
    ...coolDownWithDefaults(breaker),
    halfOpen: { probes: breaker.halfOpen?.probes ?? defaultProbes },
    // The verdict of the fleet is about the service.
    fleet: { enabled: scope === 'perService' && (breaker.fleet?.enabled ?? true) },
  };
}

type Conditions = Pick<EffectiveBreaker, 'consecutiveFailures' | 'failureRatio' | 'slowCalls'>;

function conditionsWithDefaults(breaker: CircuitBreakerSpec, timeout: string | undefined): Conditions {
  const { consecutiveFailures, failureRatio, slowCalls } = breaker;
  if (consecutiveFailures === undefined && failureRatio === undefined && slowCalls === undefined) {
    return {
      consecutiveFailures: defaultConsecutiveFailures,
      failureRatio: shareWithDefaults({}),
      // Without a timeout nothing says what slow means to the callers.
      ...(timeout !== undefined && { slowCalls: slowCallsWithDefaults({}, timeout) }),
    };
  }
  return {
    ...(consecutiveFailures !== undefined && { consecutiveFailures }),
    ...(failureRatio && { failureRatio: shareWithDefaults(failureRatio) }),
    ...(slowCalls && { slowCalls: slowCallsWithDefaults(slowCalls, timeout) }),
  };
}

function shareWithDefaults({ percent, minRequests, window, windowRequests }: FailureRatioSpec): EffectiveShare {
  return {
    percent: percent ?? defaultPercent,
    minRequests: minRequests ?? Math.min(defaultMinRequests, windowRequests ?? defaultMinRequests),
    ...(windowRequests === undefined ? { window: window ?? defaultWindow } : { windowRequests }),
  };
}

function slowCallsWithDefaults(slow: SlowCallsSpec, timeout: string | undefined): EffectiveSlowCalls {
  const timeoutMs = timeout === undefined ? undefined : parseDuration(timeout);
  const half = timeoutMs === undefined ? defaultSlowerThan : formatDuration(Math.max(1, Math.floor(timeoutMs / 2)));
  return { slowerThan: slow.slowerThan ?? half, ...shareWithDefaults(slow) };
}

function coolDownWithDefaults({ openFor, openForMax }: CircuitBreakerSpec): { openFor: string; openForMax: string } {
  const [least, most] = ordered(openFor, openForMax, defaultOpenFor, defaultOpenForMax);
  return { openFor: least, openForMax: most };
}
