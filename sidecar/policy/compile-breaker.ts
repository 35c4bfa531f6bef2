/** The circuit breaker from a spec to settings. */
import type { EffectiveBreaker } from '../../proto/policy/defaults-breaker.ts';
import type { BreakerSettings } from '../resilience/breaker.ts';
import { milliseconds } from './units.ts';

/** A probe of a target without a timeout is given up after this. */
const probeTimeoutDefaultMs = 10_000;

export function breakerSettings(breaker: EffectiveBreaker, timeoutMs: number): BreakerSettings {
  const ratio = breaker.failureRatio;
  return {
    consecutiveFailures: breaker.consecutiveFailures ?? 0,
    failureRatio: ratio
      ? { percent: ratio.percent, minRequests: ratio.minRequests, windowMs: milliseconds(ratio.window) }
      : null,
    openForMs: milliseconds(breaker.openFor),
    openForMaxMs: milliseconds(breaker.openForMax),
    probes: breaker.halfOpen.probes,
    probeTimeoutMs: timeoutMs > 0 ? timeoutMs : probeTimeoutDefaultMs,
  };
}
