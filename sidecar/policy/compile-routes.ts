/** Routes from a spec to settings: each has the service's sections, with its own in the place of those that it names. */
import type { EffectiveSpec } from '../../proto/policy/defaults.ts';
import { compileInbound, type InboundSettings } from './compile-inbound.ts';
import { compileOutbound, type OutboundSettings } from './compile-outbound.ts';
import { type RouteMatch, routeMatch } from './route-match.ts';

export interface RouteSettings {
  readonly name: string;
  readonly match: RouteMatch;
  readonly essential: boolean;
  readonly inbound: InboundSettings;
  readonly outbound: OutboundSettings;
  /** Names of the sections that the route has for itself: what keeps state in them is its own. */
  readonly own: OwnSections;
}

export interface OwnSections {
  readonly inbound: ReadonlySet<string>;
  readonly outbound: ReadonlySet<string>;
}

export function compileRoutes({ inbound, outbound, routes = [] }: EffectiveSpec, shadow: boolean): RouteSettings[] {
  return routes.map((route) => {
    const ofRoute = compileOutbound({ ...outbound, ...route.outbound }, { ...inbound, ...route.inbound }, shadow);
    return {
      name: route.name,
      match: routeMatch(route.match),
      essential: route.essential,
      inbound: compileInbound({ ...inbound, ...route.inbound }, ofRoute.classifier, shadow),
      outbound: ofRoute,
      own: { inbound: new Set(Object.keys(route.inbound)), outbound: new Set(Object.keys(route.outbound)) },
    };
  });
}
