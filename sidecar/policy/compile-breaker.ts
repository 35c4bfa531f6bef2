/** The circuit breaker from a spec to settings. */
import type { EffectiveBreaker, EffectiveShare } from '../../proto/policy/defaults-breaker.ts';
import type { BreakerSettings, ShareCondition } from '../resilience/breaker-settings.ts';
import { milliseconds } from './units.ts';

/** A probe of a target without a timeout is given up after this. */
const probeTimeoutDefaultMs = 10_000;

export function breakerSettings(breaker: EffectiveBreaker, timeoutMs: number): BreakerSettings {
  const { consecutiveFailures, failureRatio, slowCalls } = breaker;
  return {
    consecutiveFailures: consecutiveFailures ?? 0,
    failureRatio: failureRatio ? shareCondition(failureRatio) : null,
    slowCalls: slowCalls ? { ...shareCondition(slowCalls), slowerThanMs: milliseconds(slowCalls.slowerThan) } : null,
    openForMs: milliseconds(breaker.openFor),
    openForMaxMs: milliseconds(breaker.openForMax),
    probes: breaker.halfOpen.probes,
    probeTimeoutMs: timeoutMs > 0 ? timeoutMs : probeTimeoutDefaultMs,
  };
}

function shareCondition({ percent, minRequests, window, windowRequests }: EffectiveShare): ShareCondition {
  return { percent, minRequests, windowMs: milliseconds(window), windowRequests: windowRequests ?? 0 };
}
