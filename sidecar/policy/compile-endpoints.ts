/** How endpoints are chosen and left out, from a spec to settings. */
import { type EffectiveOutliers, loadBalancingWithDefaults } from '../../proto/policy/defaults-endpoints.ts';
import type { EffectiveOutbound } from '../../proto/policy/defaults-outbound.ts';
import type { BalancerSpec } from '../../proto/policy/schema-load-balancing.ts';
import type { BreakerSettings } from '../resilience/breaker-settings.ts';
import type { OutlierSettings } from '../resilience/outlier-settings.ts';
import type { BalancerSettings } from '../routing/balancer.ts';
import { defaultEndpointSettings, type EndpointSettings } from '../routing/endpoint-settings.ts';
import { defaultPrequal } from '../routing/prequal.ts';
import { noSlowStart } from '../routing/slow-start.ts';
import { milliseconds } from './units.ts';

const whereNothingIsSaid = loadBalancingWithDefaults({});

/** `breaker`: that of each endpoint, null where it is the service's. */
export function endpointSettings(
  { loadBalancing, outlierDetection }: EffectiveOutbound,
  breaker: BreakerSettings | null,
  shadow: boolean,
): EndpointSettings {
  if (loadBalancing === undefined && outlierDetection === undefined && breaker === null) return defaultEndpointSettings;
  const { algorithm, slowStart } = loadBalancing ?? whereNothingIsSaid;
  return {
    // In shadow requests go where they would go without a policy.
    balancer: shadow ? defaultEndpointSettings.balancer : balancerSettings(algorithm),
    slowStart: shadow ? noSlowStart : { windowMs: milliseconds(slowStart.window), aggression: slowStart.aggression },
    outliers: outlierDetection === undefined ? null : outlierSettings(outlierDetection, shadow),
    breaker,
    shadow,
  };
}

function balancerSettings({ roundRobin, leastRequest, orcaWeighted, prequal }: BalancerSpec): BalancerSettings {
  if (roundRobin) return { kind: 'roundRobin' };
  if (leastRequest) return { kind: 'leastRequest' };
  if (orcaWeighted) {
    return {
      kind: 'orcaWeighted',
      blackoutMs: milliseconds(orcaWeighted.blackout),
      expiryMs: milliseconds(orcaWeighted.expiry),
      errorPenalty: orcaWeighted.errorPenalty ?? 1,
    };
  }
  if (prequal) {
    return {
      kind: 'prequal',
      poolMax: prequal.pool ?? defaultPrequal.poolMax,
      hotQuantile: prequal.hotQuantile ?? defaultPrequal.hotQuantile,
      maxAgeMs: milliseconds(prequal.maxAge),
    };
  }
  return { kind: 'p2cPeakEwma' };
}

function outlierSettings(outliers: EffectiveOutliers, shadow: boolean): OutlierSettings {
  return {
    consecutiveFailures: outliers.consecutiveFailures ?? 0,
    successRate: outliers.successRate ?? null,
    latency: outliers.latency ?? null,
    intervalMs: milliseconds(outliers.interval),
    baseEjectionMs: milliseconds(outliers.baseEjectionTime),
    maxEjectionMs: milliseconds(outliers.maxEjectionTime),
    maxEjectedPercent: outliers.maxEjectedPercent,
    shadow,
  };
}
