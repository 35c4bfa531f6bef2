/** The outbound side from a spec to settings; one line for each section. */
import type { EffectiveInbound } from '../../proto/policy/defaults-inbound.ts';
import { defaultConnectTimeout, type EffectiveOutbound } from '../../proto/policy/defaults-outbound.ts';
import type { BreakerSettings } from '../resilience/breaker.ts';
import { Classifier, defaultClassifier } from '../resilience/classifier.ts';
import type { ThrottleSettings } from '../resilience/client-throttle.ts';
import type { HealthCheckSettings } from '../resilience/health.ts';
import type { RetrySettings } from '../resilience/retry-policy.ts';
import { defaultEndpointSettings, type EndpointSettings } from '../routing/endpoint-settings.ts';
import { breakerSettings } from './compile-breaker.ts';
import { headerName, noDeadline } from './compile-deadline.ts';
import { endpointSettings } from './compile-endpoints.ts';
import { type FallbackSettings, fallbackSettings } from './compile-fallback.ts';
import { flowSettings } from './compile-flow-control.ts';
import { healthCheckSettings } from './compile-health-check.ts';
import { type ParkingSettings, parkingSettings } from './compile-parking.ts';
import { priorityClasses, throttleSettings } from './compile-priorities.ts';
import { retrySettings } from './compile-retries.ts';
import type { DeadlineSettings, FlowSettings } from './compiled.ts';
import type { PriorityClasses } from './priority-classes.ts';
import { milliseconds } from './units.ts';

export interface OutboundSettings {
  readonly shadow: boolean;
  readonly deadline: DeadlineSettings;
  readonly connectTimeoutMs: number;
  readonly shadowConnectTimeoutMs: number;
  /** Of the service; see endpoints for those of endpoints. */
  readonly breaker: BreakerSettings | null;
  readonly fleetBreaker: boolean;
  readonly healthCheck: HealthCheckSettings | null;
  readonly retries: RetrySettings | null;
  readonly classifier: Classifier;
  readonly flow: FlowSettings | null;
  readonly endpoints: EndpointSettings;
  readonly fallback: FallbackSettings | null;
  readonly parking: ParkingSettings | null;
  readonly throttle: ThrottleSettings | null;
  /** Whether the service has levels, of which it tells its callers. */
  readonly toldLevels: boolean;
  readonly priorities: PriorityClasses | null;
}

export const passThroughOutboundSettings: OutboundSettings = {
  shadow: false,
  deadline: noDeadline,
  connectTimeoutMs: milliseconds(defaultConnectTimeout),
  shadowConnectTimeoutMs: 0,
  breaker: null,
  fleetBreaker: false,
  healthCheck: null,
  retries: null,
  classifier: defaultClassifier,
  flow: null,
  endpoints: defaultEndpointSettings,
  fallback: null,
  parking: null,
  throttle: null,
  toldLevels: false,
  priorities: null,
};

/** Callers also obey what the inbound side tells them, or sorts requests by. */
export function compileOutbound(
  outbound: EffectiveOutbound,
  inbound: EffectiveInbound,
  shadow: boolean,
): OutboundSettings {
  const timeoutMs = milliseconds(outbound.timeout);
  const breaker = outbound.circuitBreaker;
  const settings = breaker ? breakerSettings(breaker, timeoutMs) : null;
  const ofEndpoints = breaker?.scope === 'perEndpoint';
  return {
    shadow,
    deadline: { shadow, defaultMs: timeoutMs, maxMs: timeoutMs, timeoutHeader: headerName(outbound.timeoutHeader) },
    connectTimeoutMs: milliseconds(shadow ? defaultConnectTimeout : outbound.connectTimeout),
    shadowConnectTimeoutMs: shadow ? milliseconds(outbound.connectTimeout) : 0,
    breaker: ofEndpoints ? null : settings,
    fleetBreaker: breaker?.fleet.enabled ?? false,
    healthCheck: outbound.healthCheck && !shadow ? healthCheckSettings(outbound.healthCheck) : null,
    retries: retrySettings(outbound, shadow),
    classifier: classifierOf(outbound),
    flow: flowSettings(outbound.flowControl, shadow),
    endpoints: endpointSettings(outbound, ofEndpoints ? settings : null, shadow),
    fallback: outbound.fallback ? fallbackSettings(outbound.fallback) : null,
    parking: outbound.parking ? parkingSettings(outbound.parking, shadow) : null,
    throttle: throttleSettings(outbound.throttle),
    toldLevels: inbound.levels !== undefined,
    priorities: inbound.priorities ? priorityClasses(inbound.priorities) : null,
  };
}

/** What answers of the service mean; its own sidecars see them in the same way. */
export function classifierOf({ classification }: EffectiveOutbound): Classifier {
  if (classification === undefined) return defaultClassifier;
  const { failures = [], successes = [], ignored = [] } = classification;
  return new Classifier({ failures, successes, ignored });
}
