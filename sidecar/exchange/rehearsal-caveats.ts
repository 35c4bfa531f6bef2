/** What a rehearsal leaves out of a policy, because it was not recorded, and what it says about that and about itself. */
import type { InboundSpec, PolicySpec } from '../../proto/policy/schema.ts';
import { otherName, type RecordedTraffic } from './traffic-recording.ts';

/** The policy as it would be in force, without what needs header fields. */
export function rehearsable(spec: PolicySpec): PolicySpec {
  const { routes, inbound, ...rest } = spec;
  return {
    ...rest,
    enforcement: spec.enforcement === 'disabled' ? 'disabled' : 'enforce',
    ...(inbound && { inbound: withoutHeaderKeys(inbound) }),
    ...(routes && {
      routes: routes.map((route) => ({
        ...route,
        ...(route.inbound && { inbound: withoutHeaderKeys(route.inbound) }),
      })),
    }),
  };
}

function withoutHeaderKeys(inbound: InboundSpec): InboundSpec {
  const { rateLimits, ...rest } = inbound;
  const kept = rateLimits?.filter(({ key }) => key?.header === undefined) ?? [];
  return kept.length > 0 ? { ...rest, rateLimits: kept } : rest;
}

export function caveatsOf(spec: PolicySpec, recorded: RecordedTraffic): string[] {
  const caveats = [
    'callers that would try again are not modelled',
    'the app takes as long as it took: that it might get faster or slower is not modelled',
  ];
  const inbounds = [spec.inbound, ...(spec.routes ?? []).map(({ inbound }) => inbound)].flatMap((one) => one ?? []);
  const limits = inbounds.flatMap(({ rateLimits }) => rateLimits ?? []);
  for (const { name, key } of limits)
    if (key?.header !== undefined)
      caveats.push(`the rate limit ${name} is left out: its key, the header ${key.header}, is not recorded`);
  if (limits.some(({ cost }) => cost?.header !== undefined))
    caveats.push('every request costs what one without the header costs');
  if (limits.some(({ scope }) => scope !== undefined && scope !== 'perProxy'))
    caveats.push('limits of the whole fleet count as limits of each sidecar');
  if (limits.length > 0) caveats.push('rate limits begin as after a quiet time');
  const matches = [
    ...(spec.routes ?? []).map(({ match }) => match),
    ...inbounds.flatMap(({ priorities }) => (priorities?.rules ?? []).map(({ match }) => match)),
  ];
  if (matches.some((match) => (match?.headers?.length ?? 0) > 0))
    caveats.push('rules that ask for a header match nobody: headers are not recorded');
  if (inbounds.some(({ deadline }) => deadline !== undefined))
    caveats.push('the deadlines that callers set are not recorded: only those of the policy count');
  if (spec.outbound !== undefined || (spec.routes ?? []).some(({ outbound }) => outbound !== undefined))
    caveats.push('what callers’ sidecars do (breakers, retries, timeouts) is not rehearsed');
  const refused = recorded.reason.reduce((sum, reason) => sum + (reason === 0 ? 0 : 1), 0);
  if (refused > 0)
    caveats.push(`${refused} requests were rejected when they were recorded: how long they would take is estimated`);
  if (recorded.names.includes(otherName) && recorded.path.includes(0))
    caveats.push('there were more paths than are recorded: the others count as one');
  return caveats;
}
