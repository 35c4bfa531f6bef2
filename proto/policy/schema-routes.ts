/**
 * Routes: some requests of a service, told apart by what their head says, with settings of their own. The first route
 * that matches is the request's; what it does not name is the service's.
 */
import { type Static, Type } from 'typebox';
import { InboundSpec } from './schema-inbound.ts';
import { RouteMatchSpec } from './schema-match.ts';
import { OutboundSpec } from './schema-outbound.ts';
import { dnsLabel, strict } from './schema-parts.ts';

/** A request that matches none is compared with all of them. */
export const routesMax = 64;

/** Sections about endpoints or the service as a whole, which a route cannot have otherwise. */
const outboundOfTheService = ['healthCheck', 'outlierDetection', 'loadBalancing'] as const;

export const RouteOutboundSpec = Type.Omit(OutboundSpec, outboundOfTheService, {
  ...strict,
  description: "Obeyed by the sidecars of the service's callers, for requests of the route.",
});
export type RouteOutboundSpec = Static<typeof RouteOutboundSpec>;

export const RouteSpec = Type.Object(
  {
    name: dnsLabel('Name of the route, unique in the policy; it appears in metrics and logs.'),
    match: RouteMatchSpec,
    essential: Type.Optional(
      Type.Boolean({
        description: 'false: what can be done without, and is switched off first when the service is overloaded.',
        default: true,
      }),
    ),
    inbound: Type.Optional(InboundSpec),
    outbound: Type.Optional(RouteOutboundSpec),
  },
  {
    ...strict,
    description:
      "Requests with settings of their own. A section that is named here replaces the service's for these requests, " +
      "and keeps count by itself; every other section is the service's, whose limits and breaker count these requests " +
      "with all others. A route's circuit breaker is each sidecar's own: the verdict of the fleet is about the service.",
  },
);
export type RouteSpec = Static<typeof RouteSpec>;

/** Order matters, so that a server never merges two lists by name. */
export const RoutesSpec = Type.Array(RouteSpec, {
  description: 'The first that matches a request is its route.',
  maxItems: routesMax,
  'x-weir-ordered': true,
});
