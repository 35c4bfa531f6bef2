/** The outbound side with nothing left open. */
import { breakerWithDefaults, type EffectiveBreaker } from './defaults-breaker.ts';
import { type EffectiveHealthCheck, healthCheckWithDefaults } from './defaults-health-check.ts';
import type { OutboundSpec } from './schema-outbound.ts';

/** Used also where no policy says anything, since a connection attempt must end. */
export const defaultConnectTimeout = '1s';

export interface EffectiveOutbound {
  timeout?: string;
  connectTimeout: string;
  circuitBreaker?: EffectiveBreaker;
  healthCheck?: EffectiveHealthCheck;
}

export function outboundWithDefaults(outbound: OutboundSpec): EffectiveOutbound {
  return {
    ...(outbound.timeout !== undefined && { timeout: outbound.timeout }),
    connectTimeout: outbound.connectTimeout ?? defaultConnectTimeout,
    ...(outbound.circuitBreaker && { circuitBreaker: breakerWithDefaults(outbound.circuitBreaker, outbound.timeout) }),
    ...(outbound.healthCheck && { healthCheck: healthCheckWithDefaults(outbound.healthCheck) }),
  };
}
