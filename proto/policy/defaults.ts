/**
 * Defaults as a step of their own: the stored document stays what its author wrote, and everything that acts on a
 * policy (bundles, sidecars, the "effective" view) sees it with every default filled in. Applying it twice changes
 * nothing.
 */
import { type EffectiveInbound, inboundWithDefaults } from './defaults-inbound.ts';
import { type EffectiveOutbound, outboundWithDefaults } from './defaults-outbound.ts';
import { type EffectiveRoute, routeWithDefaults } from './defaults-routes.ts';
import type { Enforcement, PolicySpec } from './schema.ts';

export type { EffectiveBreaker } from './defaults-breaker.ts';
export type { EffectiveHealthCheck } from './defaults-health-check.ts';
export type { EffectiveInbound } from './defaults-inbound.ts';
export { defaultConnectTimeout, type EffectiveOutbound } from './defaults-outbound.ts';
export { defaultKeysMax, type EffectiveRateLimit } from './defaults-rate-limits.ts';
export type { EffectiveRoute } from './defaults-routes.ts';

/** A PolicySpec with nothing left open; it is itself a valid PolicySpec. */
export interface EffectiveSpec {
  target: { service: string };
  enforcement: Enforcement;
  inbound: EffectiveInbound;
  outbound: EffectiveOutbound;
  /** Only where there are any. */
  routes?: EffectiveRoute[];
}

/** Takes a spec that has passed parsing. */
export function withDefaults(spec: PolicySpec): EffectiveSpec {
  return {
    target: { service: spec.target.service },
    enforcement: spec.enforcement ?? 'enforce',
    inbound: inboundWithDefaults(spec.inbound ?? {}),
    outbound: outboundWithDefaults(spec.outbound),
    ...(spec.routes && { routes: spec.routes.map((route) => routeWithDefaults(route, spec.outbound ?? {})) }),
  };
}
