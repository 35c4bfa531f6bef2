/** The circuit breaker with nothing left open. */
import { ordered } from './defaults-ordered.ts';
import type { CircuitBreakerSpec } from './schema-breaker.ts';

const defaultFailureRatio = { percent: 50, minRequests: 20, window: '2s' };
const defaultConsecutiveFailures = 5;
const defaultOpenFor = '1s';
const defaultOpenForMax = '15s';
const defaultProbes = 3;

export interface EffectiveBreaker {
  consecutiveFailures?: number;
  failureRatio?: { percent: number; minRequests: number; window: string };
  openFor: string;
  openForMax: string;
  halfOpen: { probes: number };
  fleet: { enabled: boolean };
}

export function breakerWithDefaults(breaker: CircuitBreakerSpec): EffectiveBreaker {
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
