/** The circuit breaker with nothing left open. */
import { formatDuration, parseDuration } from '../kernel/duration.ts';
import { ordered } from './defaults-ordered.ts';
import type { CircuitBreakerSpec, FailureRatioSpec, SlowCallsSpec } from './schema-breaker.ts';
import type { OutboundSpec } from './schema-outbound.ts';

const defaultPercent = 50;
const defaultMinRequests = 20;
/** A service that has become slow answers few, and a slow call is rarer by chance than a failed one. */
const defaultMinSlowRequests = 10;
const defaultWindow = '2s';
const defaultConsecutiveFailures = 5;
const defaultSlowerThanMs = 1000;
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

/** What a request and an attempt may take, where there is a bound. */
type Times = Pick<OutboundSpec, 'timeout' | 'perTryTimeout'>;

export function breakerWithDefaults(breaker: CircuitBreakerSpec, times: Times): EffectiveBreaker {
  const scope: EffectiveBreaker['scope'] = breaker.scope === 'perEndpoint' ? 'perEndpoint' : 'perService';
  return {
    scope,
    ...conditionsWithDefaults(breaker, times),
    ...coolDownWithDefaults(breaker),
    halfOpen: { probes: breaker.halfOpen?.probes ?? defaultProbes },
    // The verdict of the fleet is about the service.
    fleet: { enabled: scope === 'perService' && (breaker.fleet?.enabled ?? true) },
  };
}

type Conditions = Pick<EffectiveBreaker, 'consecutiveFailures' | 'failureRatio' | 'slowCalls'>;

function conditionsWithDefaults(breaker: CircuitBreakerSpec, times: Times): Conditions {
  const { consecutiveFailures, failureRatio, slowCalls } = breaker;
  if (consecutiveFailures === undefined && failureRatio === undefined && slowCalls === undefined) {
    return {
      consecutiveFailures: defaultConsecutiveFailures,
      failureRatio: shareWithDefaults({}),
      // Without a timeout nothing says what slow means to the callers.
      ...(times.timeout !== undefined && { slowCalls: slowCallsWithDefaults({}, times) }),
    };
  }
  return {
    ...(consecutiveFailures !== undefined && { consecutiveFailures }),
    ...(failureRatio && { failureRatio: shareWithDefaults(failureRatio) }),
    ...(slowCalls && { slowCalls: slowCallsWithDefaults(slowCalls, times) }),
  };
}

function shareWithDefaults(
  { percent, minRequests, window, windowRequests }: FailureRatioSpec,
  minDefault = defaultMinRequests,
): EffectiveShare {
  return {
    percent: percent ?? defaultPercent,
    minRequests: minRequests ?? Math.min(minDefault, windowRequests ?? minDefault),
    ...(windowRequests === undefined ? { window: window ?? defaultWindow } : { windowRequests }),
  };
}

function slowCallsWithDefaults(slow: SlowCallsSpec, { timeout, perTryTimeout }: Times): EffectiveSlowCalls {
  const timeoutMs = timeout === undefined ? undefined : parseDuration(timeout);
  const halfMs = timeoutMs === undefined ? defaultSlowerThanMs : Math.max(1, Math.floor(timeoutMs / 2));
  // What an attempt never takes would never be slow.
  const tryMs = perTryTimeout === undefined ? undefined : parseDuration(perTryTimeout);
  return {
    slowerThan: slow.slowerThan ?? formatDuration(Math.min(halfMs, tryMs ?? halfMs)),
    ...shareWithDefaults(slow, defaultMinSlowRequests),
  };
}

function coolDownWithDefaults({ openFor, openForMax }: CircuitBreakerSpec): { openFor: string; openForMax: string } {
  const [least, most] = ordered(openFor, openForMax, defaultOpenFor, defaultOpenForMax);
  return { openFor: least, openForMax: most };
}
