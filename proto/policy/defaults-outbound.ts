/** The outbound side with nothing left open. */
import { breakerWithDefaults, type EffectiveBreaker } from './defaults-breaker.ts';
import { type EffectiveHealthCheck, healthCheckWithDefaults } from './defaults-health-check.ts';
import {
  type EffectiveHedging,
  type EffectiveRetries,
  hedgingWithDefaults,
  retriesWithDefaults,
} from './defaults-retries.ts';
import type { OutboundSpec } from './schema-outbound.ts';

/** Used also where no policy says anything, since a connection attempt must end. */
export const defaultConnectTimeout = '1s';

export interface EffectiveOutbound {
  timeout?: string;
  perTryTimeout?: string;
  connectTimeout: string;
  circuitBreaker?: EffectiveBreaker;
  healthCheck?: EffectiveHealthCheck;
  retries?: EffectiveRetries;
  hedging?: EffectiveHedging;
}

export function outboundWithDefaults(outbound: OutboundSpec): EffectiveOutbound {
  return {
    ...(outbound.timeout !== undefined && { timeout: outbound.timeout }),
    ...(outbound.perTryTimeout !== undefined && { perTryTimeout: outbound.perTryTimeout }),
    connectTimeout: outbound.connectTimeout ?? defaultConnectTimeout,
    ...(outbound.circuitBreaker && { circuitBreaker: breakerWithDefaults(outbound.circuitBreaker, outbound.timeout) }),
    ...(outbound.healthCheck && { healthCheck: healthCheckWithDefaults(outbound.healthCheck) }),
    ...(outbound.retries && { retries: retriesWithDefaults(outbound.retries) }),
    ...(outbound.hedging && { hedging: hedgingWithDefaults(outbound.hedging) }),
  };
}
