/** Load balancing and outlier detection with nothing left open. */
import { ordered } from './defaults-ordered.ts';
import type { BalancerSpec, LoadBalancingSpec, SlowStartSpec } from './schema-load-balancing.ts';
import type { OutlierDetectionSpec } from './schema-outlier-detection.ts';

const defaultSlowStart: Required<SlowStartSpec> = { window: '10s', aggression: 1 };
const defaultOrca = { blackout: '10s', expiry: '3m', errorPenalty: 1 };
const defaultPrequal = { pool: 16, hotQuantile: 0.84, maxAge: '1s' };
const defaultConsecutiveFailures = 5;
const defaultSuccessRate = { stdevFactor: 1.9, minHosts: 5, minRequests: 100 };
const defaultLatency = { factor: 3, minHosts: 3, minRequests: 20 };
const defaultInterval = '10s';
const defaultBaseEjection = '30s';
const defaultMaxEjection = '5m';
/** Envoy's is 10, which ejects nobody from a service of nine. */
const defaultMaxEjectedPercent = 50;

export interface EffectiveLoadBalancing {
  algorithm: BalancerSpec;
  slowStart: Required<SlowStartSpec>;
}

export interface EffectiveOutliers {
  consecutiveFailures?: number;
  successRate?: typeof defaultSuccessRate;
  latency?: typeof defaultLatency;
  interval: string;
  baseEjectionTime: string;
  maxEjectionTime: string;
  maxEjectedPercent: number;
}

export function loadBalancingWithDefaults({ algorithm, slowStart }: LoadBalancingSpec): EffectiveLoadBalancing {
  return { algorithm: balancerWithDefaults(algorithm ?? {}), slowStart: { ...defaultSlowStart, ...slowStart } };
}

function balancerWithDefaults(balancer: BalancerSpec): BalancerSpec {
  const { orcaWeighted, prequal } = balancer;
  if (orcaWeighted) return { orcaWeighted: { ...defaultOrca, ...orcaWeighted } };
  if (prequal) return { prequal: { ...defaultPrequal, ...prequal } };
  return balancer.roundRobin || balancer.leastRequest ? balancer : { p2cPeakEwma: {} };
}

export function outliersWithDefaults(outliers: OutlierDetectionSpec): EffectiveOutliers {
  const { consecutiveFailures, successRate, latency, interval, maxEjectedPercent } = outliers;
  const isBare = consecutiveFailures === undefined && successRate === undefined && latency === undefined;
  const [least, most] = ordered(
    outliers.baseEjectionTime,
    outliers.maxEjectionTime,
    defaultBaseEjection,
    defaultMaxEjection,
  );
  return {
    ...(isBare && { consecutiveFailures: defaultConsecutiveFailures, successRate: defaultSuccessRate }),
    ...(consecutiveFailures !== undefined && { consecutiveFailures }),
    ...(successRate && { successRate: { ...defaultSuccessRate, ...successRate } }),
    ...(latency && { latency: { ...defaultLatency, ...latency } }),
    interval: interval ?? defaultInterval,
    baseEjectionTime: least,
    maxEjectionTime: most,
    maxEjectedPercent: maxEjectedPercent ?? defaultMaxEjectedPercent,
  };
}
