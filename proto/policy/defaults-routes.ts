/** Routes with nothing left open in the sections that they name; those that they do not name stay away. */
import { type EffectiveInbound, inboundWithDefaults } from './defaults-inbound.ts';
import { type EffectiveOutbound, outboundWithDefaults } from './defaults-outbound.ts';
import type { RouteMatchSpec } from './schema-match.ts';
import type { OutboundSpec } from './schema-outbound.ts';
import type { RouteSpec } from './schema-routes.ts';

export interface EffectiveRoute {
  name: string;
  match: RouteMatchSpec;
  essential: boolean;
  inbound: Partial<EffectiveInbound>;
  outbound: Partial<EffectiveOutbound>;
}

/** `service`: the outbound side of the service, whose times count for the route's breaker where it has none. */
export function routeWithDefaults(
  { name, match, essential, inbound = {}, outbound = {} }: RouteSpec,
  service: OutboundSpec,
): EffectiveRoute {
  return {
    name,
    match,
    essential: essential ?? true,
    inbound: namedIn(inbound, inboundWithDefaults(inbound)),
    outbound: namedIn(outbound, outboundWithDefaults({ ...service, ...outbound })),
  };
}

function namedIn<T extends object>(written: object, filled: T): Partial<T> {
  const part: Partial<T> = { ...filled };
  for (const name in part) if (!Object.hasOwn(written, name)) delete part[name];
  return part;
}
