/** Health checks from a spec to settings. */
import type { EffectiveHealthCheck } from '../../proto/policy/defaults-health-check.ts';
import type { HealthCheckSettings, HealthProbe } from '../resilience/health.ts';
import { milliseconds } from './units.ts';

export function healthCheckSettings(check: EffectiveHealthCheck): HealthCheckSettings {
  return {
    probe: probeOf(check.probe),
    intervalMs: milliseconds(check.interval),
    timeoutMs: milliseconds(check.timeout),
    unhealthyAfter: check.unhealthyAfter,
    healthyAfter: check.healthyAfter,
  };
}

function probeOf({ grpc, http }: EffectiveHealthCheck['probe']): HealthProbe {
  if (http === undefined) return { kind: 'grpc', service: grpc?.service ?? '' };
  const { path, expectedStatuses = [], protocol } = http;
  return { kind: 'http', path, statuses: expectedStatuses, protocol: protocol === 'http2' ? 'http2' : 'http1' };
}
