/** The outbound side with nothing left open. */
import { breakerWithDefaults, type EffectiveBreaker } from './defaults-breaker.ts';
import {
  type EffectiveLoadBalancing,
  type EffectiveOutliers,
  loadBalancingWithDefaults,
  outliersWithDefaults,
} from './defaults-endpoints.ts';
import { type EffectiveFallback, fallbackWithDefaults } from './defaults-fallback.ts';
import { type EffectiveHealthCheck, healthCheckWithDefaults } from './defaults-health-check.ts';
import { type EffectiveThrottle, throttleWithDefaults } from './defaults-priorities.ts';
import {
  type EffectiveHedging,
  type EffectiveRetries,
  hedgingWithDefaults,
  retriesWithDefaults,
} from './defaults-retries.ts';
import type { ClassificationSpec } from './schema-classification.ts';
import type { OutboundSpec } from './schema-outbound.ts';

/** Used also where no policy says anything, since a connection attempt must end. */
export const defaultConnectTimeout = '1s';

export interface EffectiveOutbound {
  timeout?: string;
  timeoutHeader?: string;
  perTryTimeout?: string;
  connectTimeout: string;
  circuitBreaker?: EffectiveBreaker;
  classification?: ClassificationSpec;
  healthCheck?: EffectiveHealthCheck;
  retries?: EffectiveRetries;
  hedging?: EffectiveHedging;
  outlierDetection?: EffectiveOutliers;
  loadBalancing?: EffectiveLoadBalancing;
  fallback?: EffectiveFallback;
  throttle: EffectiveThrottle;
}

/** Without an outbound part callers obey nothing, so the throttle is off, too. */
export function outboundWithDefaults(written: OutboundSpec | undefined): EffectiveOutbound {
  const outbound = written ?? { throttle: { enabled: false } };
  return {
    ...(outbound.timeout !== undefined && { timeout: outbound.timeout }),
    ...(outbound.timeoutHeader !== undefined && { timeoutHeader: outbound.timeoutHeader }),
    ...(outbound.perTryTimeout !== undefined && { perTryTimeout: outbound.perTryTimeout }),
    connectTimeout: outbound.connectTimeout ?? defaultConnectTimeout,
    ...(outbound.circuitBreaker && { circuitBreaker: breakerWithDefaults(outbound.circuitBreaker, outbound.timeout) }),
    ...(outbound.healthCheck && { healthCheck: healthCheckWithDefaults(outbound.healthCheck) }),
    ...(outbound.retries && { retries: retriesWithDefaults(outbound.retries) }),
    ...(outbound.hedging && { hedging: hedgingWithDefaults(outbound.hedging) }),
    ...(outbound.classification && { classification: outbound.classification }),
    ...(outbound.outlierDetection && { outlierDetection: outliersWithDefaults(outbound.outlierDetection) }),
    ...(outbound.loadBalancing && { loadBalancing: loadBalancingWithDefaults(outbound.loadBalancing) }),
    ...(outbound.fallback && { fallback: fallbackWithDefaults(outbound.fallback) }),
    throttle: throttleWithDefaults(outbound.throttle ?? {}),
  };
}
