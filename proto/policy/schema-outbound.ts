/** The part of a policy that the sidecars of a service's callers obey. */
import { type Static, Type } from 'typebox';
import { CircuitBreakerSpec } from './schema-breaker.ts';
import { ClassificationSpec } from './schema-classification.ts';
import { timeoutHeader } from './schema-deadline.ts';
import { FallbackSpec } from './schema-fallback.ts';
import { FlowControlSpec } from './schema-flow-control.ts';
import { HealthCheckSpec } from './schema-health-check.ts';
import { LoadBalancingSpec } from './schema-load-balancing.ts';
import { OutlierDetectionSpec } from './schema-outlier-detection.ts';
import { ParkingSpec } from './schema-parking.ts';
import { duration, strict } from './schema-parts.ts';
import { HedgingSpec, RetriesSpec } from './schema-retries.ts';
import { ThrottleSpec } from './schema-throttle.ts';

export const OutboundSpec = Type.Object(
  {
    timeout: Type.Optional(
      duration({ min: '1ms', max: '1h', description: "Whole request, as the caller's sidecar sees it." }),
    ),
    timeoutHeader: Type.Optional(timeoutHeader),
    perTryTimeout: Type.Optional(
      duration({
        min: '1ms',
        max: '1h',
        description:
          'One attempt, from its beginning to the head of its answer; not above timeout. Past it the attempt is cancelled, ' +
          'and made again if retries allow it.',
      }),
    ),
    connectTimeout: Type.Optional(
      duration({ min: '1ms', max: '1m', default: '1s', description: 'Opening of a connection to an endpoint.' }),
    ),
    circuitBreaker: Type.Optional(CircuitBreakerSpec),
    classification: Type.Optional(ClassificationSpec),
    healthCheck: Type.Optional(HealthCheckSpec),
    retries: Type.Optional(RetriesSpec),
    hedging: Type.Optional(HedgingSpec),
    outlierDetection: Type.Optional(OutlierDetectionSpec),
    loadBalancing: Type.Optional(LoadBalancingSpec),
    fallback: Type.Optional(FallbackSpec),
    flowControl: Type.Optional(FlowControlSpec),
    parking: Type.Optional(ParkingSpec),
    throttle: Type.Optional(ThrottleSpec),
  },
  { ...strict, description: "Obeyed by the sidecars of the service's callers." },
);
export type OutboundSpec = Static<typeof OutboundSpec>;
