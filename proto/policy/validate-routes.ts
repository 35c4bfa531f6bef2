/** What a schema cannot say about routes: names that are taken, conditions that contradict each other. */
import { errorsMax, type Finding, isRecord, member, pointerTokens, show } from './problems.ts';
import { breakerOfEndpointsInRoute } from './validate-breaker.ts';
import { validateInbound } from './validate-inbound.ts';
import { validateOutbound } from './validate-outbound.ts';

/** `spec`: the whole, since a route's sections stand among those of the service. */
export function validateRoutes(spec: unknown, pointer: string): Finding[] {
  const routes = member(spec, 'routes');
  if (!Array.isArray(routes)) return [];
  return routes.slice(0, errorsMax).flatMap((route, index) => {
    const at = `${pointer}/routes/${index}`;
    return [
      ...nameTaken(routes, index, `${pointer}/routes`),
      ...matchThatClashes(member(route, 'match'), `${at}/match`),
      ...validateInbound(member(route, 'inbound'), `${at}/inbound`),
      ...breakerOfEndpointsInRoute(member(route, 'outbound'), `${at}/outbound`),
      ...outboundAmongTheServices(member(spec, 'outbound'), member(route, 'outbound'), `${at}/outbound`),
    ];
  });
}

function nameTaken(routes: readonly unknown[], index: number, pointer: string): Finding[] {
  const name = member(routes[index], 'name');
  const first = routes.findIndex((route) => member(route, 'name') === name);
  if (typeof name !== 'string' || first === index) return [];
  const message = `the name ${show(name)} is taken by ${pointer}/${first}; names are unique`;
  return [{ pointer: `${pointer}/${index}/name`, message }];
}

function matchThatClashes(match: unknown, pointer: string): Finding[] {
  const findings: Finding[] = [];
  if (member(match, 'grpc') !== undefined && member(match, 'path') !== undefined) {
    const message = 'grpc names the path already: the path of a call is /<service>/<method>';
    findings.push({ pointer: `${pointer}/path`, message, hint: 'remove path or grpc', atKey: true });
  }
  const method = member(match, 'method');
  if (member(match, 'grpc') !== undefined && typeof method === 'string' && method !== 'POST') {
    findings.push({
      pointer: `${pointer}/method`,
      message: `a call of gRPC is never ${method}`,
      hint: 'remove method',
    });
  }
  const headers = member(match, 'headers');
  if (!Array.isArray(headers)) return findings;
  for (const [index, header] of headers.slice(0, errorsMax).entries()) {
    if (!isRecord(header) || (header.exact === undefined) !== (header.present === undefined)) continue;
    const message = 'a header is compared in one way: exact or present';
    findings.push({ pointer: `${pointer}/headers/${index}`, message, hint: 'such as present: {}' });
  }
  return findings;
}

/** A route's time may contradict one of the service's. What only concerns the service is reported there. */
function outboundAmongTheServices(service: unknown, route: unknown, pointer: string): Finding[] {
  if (!isRecord(route)) return [];
  const merged = isRecord(service) ? { ...service, ...route } : route;
  const depth = pointerTokens(pointer).length;
  return validateOutbound(merged, pointer).filter((finding) =>
    Object.hasOwn(route, pointerTokens(finding.pointer)[depth] ?? ''),
  );
}
