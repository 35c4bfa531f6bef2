/** Health checks with nothing left open. */
import { ordered } from './defaults-ordered.ts';
import type { HealthCheckSpec, HealthProbeSpec } from './schema-health-check.ts';

const defaultCheckInterval = '10s';
const defaultCheckTimeout = '1s';
const defaultUnhealthyAfter = 3;
const defaultHealthyAfter = 2;

export interface EffectiveHealthCheck {
  probe: HealthProbeSpec;
  interval: string;
  timeout: string;
  unhealthyAfter: number;
  healthyAfter: number;
}

export function healthCheckWithDefaults(check: HealthCheckSpec): EffectiveHealthCheck {
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
