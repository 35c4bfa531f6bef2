/** What a schema cannot say about routes: names that are taken, and sections among those of the service. */
import { errorsMax, type Finding, isRecord, member, pointerTokens, show } from './problems.ts';
import { breakerOfEndpointsInRoute } from './validate-breaker.ts';
import { overflowOfOther } from './validate-flow-control.ts';
import { validateInbound } from './validate-inbound.ts';
import { levelsInRoute } from './validate-levels.ts';
import { matchThatClashes } from './validate-match.ts';
import { validateOutbound } from './validate-outbound.ts';
import { neverReached } from './validate-reach.ts';
import { fallbackOfOther } from './validate-route-fallback.ts';
import { inboundTimes } from './validate-times.ts';

/** `spec`: the whole, since a route's sections stand among those of the service. */
export function validateRoutes(spec: unknown, pointer: string): Finding[] {
  const routes = member(spec, 'routes');
  if (!Array.isArray(routes)) return [];
  const each = routes.slice(0, errorsMax).flatMap((route, index) => {
    const at = `${pointer}/routes/${index}`;
    const match = member(route, 'match');
    return [
      ...nameTaken(routes, index, `${pointer}/routes`),
      ...matchThatClashes(match, `${at}/match`),
      ...validateInbound(member(route, 'inbound'), `${at}/inbound`),
      ...breakerOfEndpointsInRoute(member(route, 'outbound'), `${at}/outbound`),
      ...overflowOfOther(member(route, 'inbound'), match, `${at}/inbound`),
      ...overflowOfOther(member(route, 'outbound'), match, `${at}/outbound`),
      ...levelsInRoute(member(route, 'inbound'), `${at}/inbound`),
      ...fallbackOfOther(member(route, 'outbound'), match, `${at}/outbound`),
      ...amongTheServices(inboundTimes, member(spec, 'inbound'), member(route, 'inbound'), `${at}/inbound`),
      ...amongTheServices(validateOutbound, member(spec, 'outbound'), member(route, 'outbound'), `${at}/outbound`),
    ];
  });
  return [...each, ...neverReached(routes, `${pointer}/routes`)];
}

function nameTaken(routes: readonly unknown[], index: number, pointer: string): Finding[] {
  const name = member(routes[index], 'name');
  const first = routes.findIndex((route) => member(route, 'name') === name);
  if (typeof name !== 'string' || first === index) return [];
  const message = `the name ${show(name)} is taken by ${pointer}/${first}; names are unique`;
  return [{ pointer: `${pointer}/${index}/name`, message }];
}

/** A route's time may contradict one of the service's. What only concerns the service is reported there. */
function amongTheServices(
  validate: (side: unknown, pointer: string) => Finding[],
  service: unknown,
  route: unknown,
  pointer: string,
): Finding[] {
  if (!isRecord(route)) return [];
  const merged = isRecord(service) ? { ...service, ...route } : route;
  const depth = pointerTokens(pointer).length;
  return validate(merged, pointer).filter((finding) =>
    Object.hasOwn(route, pointerTokens(finding.pointer)[depth] ?? ''),
  );
}
