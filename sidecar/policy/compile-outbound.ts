/** The outbound side from a spec to settings; one line for each section. */
import { defaultConnectTimeout, type EffectiveOutbound } from '../../proto/policy/defaults-outbound.ts';
import type { BreakerSettings } from '../resilience/breaker.ts';
import type { HealthCheckSettings } from '../resilience/health.ts';
import type { RetrySettings } from '../resilience/retry-policy.ts';
import { breakerSettings } from './compile-breaker.ts';
import { healthCheckSettings } from './compile-health-check.ts';
import { retrySettings } from './compile-retries.ts';
import { milliseconds } from './units.ts';

export interface OutboundSettings {
  readonly shadow: boolean;
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly breaker: BreakerSettings | null;
  readonly fleetBreaker: boolean;
  readonly healthCheck: HealthCheckSettings | null;
  readonly retries: RetrySettings | null;
}

export const passThroughOutboundSettings: OutboundSettings = {
  shadow: false,
  timeoutMs: 0,
  connectTimeoutMs: milliseconds(defaultConnectTimeout),
  breaker: null,
  fleetBreaker: false,
  healthCheck: null,
  retries: null,
};

export function compileOutbound(outbound: EffectiveOutbound, shadow: boolean): OutboundSettings {
  const timeoutMs = milliseconds(outbound.timeout);
  const breaker = outbound.circuitBreaker;
  return {
    shadow,
    timeoutMs,
    connectTimeoutMs: milliseconds(outbound.connectTimeout),
    breaker: breaker ? breakerSettings(breaker, timeoutMs) : null,
    fleetBreaker: breaker?.fleet.enabled ?? false,
    healthCheck: outbound.healthCheck && !shadow ? healthCheckSettings(outbound.healthCheck) : null,
    retries: retrySettings(outbound, shadow),
  };
}
