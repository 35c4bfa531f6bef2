/**
 * From a spec to settings: units become numbers, unions become small tagged values, and what is not there becomes 0 or
 * null. No objects with state are made here; swap.ts does that, because which of the living ones can stay is decided
 * by comparing these settings.
 */
import { withDefaults } from '../../proto/policy/defaults.ts';
import type { PolicySpec } from '../../proto/policy/schema.ts';
import { compileInbound, type InboundSettings, passThroughInboundSettings } from './compile-inbound.ts';
import { compileOutbound, type OutboundSettings, passThroughOutboundSettings } from './compile-outbound.ts';
import { compileRoutes, type RouteSettings } from './compile-routes.ts';

export { unlimited } from './compile-admission.ts';
export type { InboundSettings } from './compile-inbound.ts';
export type { OutboundSettings } from './compile-outbound.ts';
export type { RateLimitSettings } from './compile-rate-limits.ts';

export interface PolicySettings {
  readonly inbound: InboundSettings;
  readonly outbound: OutboundSettings;
  /** In their order: the first that matches a request is its route. */
  readonly routes: readonly RouteSettings[];
}

/** What is in force where no policy is, or a disabled one. A connection attempt still has to end. */
export const passThroughSettings: PolicySettings = {
  inbound: passThroughInboundSettings,
  outbound: passThroughOutboundSettings,
  routes: [],
};

/** Takes a spec that has passed parsing; with or without defaults. */
export function compile(spec: PolicySpec | null): PolicySettings {
  if (spec === null || spec.enforcement === 'disabled') return passThroughSettings;
  const effective = withDefaults(spec);
  const shadow = effective.enforcement === 'shadow';
  const outbound = compileOutbound(effective.outbound, effective.inbound, shadow);
  return {
    inbound: compileInbound(effective.inbound, outbound.classifier, shadow),
    outbound,
    routes: compileRoutes(effective, shadow),
  };
}
