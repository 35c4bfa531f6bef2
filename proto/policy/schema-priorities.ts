/** How important a request is, and on whose account it comes. */
import { type Static, Type } from 'typebox';
import { tierNames } from '../tiers.ts';
import { RouteMatchSpec } from './schema-match.ts';
import { headerNamePattern, marker, oneMember, oneOf, strict } from './schema-parts.ts';

export const priorityRulesMax = 32;
export const trustedIdentitiesMax = 32;

const identity = (description: string) =>
  Type.String({ description, pattern: '^[!-)+-~]{1,256}[*]?$|^[*]$', maxLength: 257 });

export const TierSpec = (description: string, byDefault?: (typeof tierNames)[number]) =>
  oneOf([...tierNames], { description, ...(byDefault && { default: byDefault }) });

export const CallerKeySpec = Type.Object(
  {
    header: Type.Optional(
      Type.String({
        description: 'The value of this request header.',
        pattern: headerNamePattern,
        minLength: 1,
        maxLength: 64,
      }),
    ),
    identity: Type.Optional(marker("The caller's identity by mutual TLS.")),
    address: Type.Optional(marker('The address of the caller.')),
  },
  { ...oneMember, description: 'What tells one from another.' },
);
export type CallerKeySpec = Static<typeof CallerKeySpec>;

export const PriorityRuleSpec = Type.Object(
  {
    match: Type.Optional(RouteMatchSpec),
    identity: Type.Optional(
      identity("The caller's identity by mutual TLS; a * at the end stands for anything. With match, both hold."),
    ),
    tier: TierSpec('The tier of requests that the rule is about.'),
    essential: Type.Optional(
      Type.Boolean({
        description: 'false: switched off when the service is overloaded; see levels.nonEssential.',
        default: true,
      }),
    ),
  },
  { ...strict, minProperties: 2, description: 'Requests that match, that come from an identity, or both.' },
);
export type PriorityRuleSpec = Static<typeof PriorityRuleSpec>;

export const PrioritiesSpec = Type.Object(
  {
    default: Type.Optional(TierSpec('The tier of requests that no rule is about.', 'normal')),
    rules: Type.Optional(
      Type.Array(PriorityRuleSpec, {
        description: 'The first that is about a request gives its tier, where it enters the mesh.',
        maxItems: priorityRulesMax,
        'x-weir-ordered': true,
      }),
    ),
    tenant: Type.Optional(
      Type.Object(CallerKeySpec.properties, {
        ...oneMember,
        description:
          'On whose account a request comes: within a tier, tenants get equal shares of a queue. Default: all are one.',
      }),
    ),
    user: Type.Optional(
      Type.Object(CallerKeySpec.properties, {
        ...oneMember,
        description:
          'Whose request it is, as a hash in 128 levels that changes every hour: part of a tier can be refused without ' +
          'refusing every user now and then. Default: the trace, else chance.',
      }),
    ),
    trustedIdentities: Type.Optional(
      Type.Array(identity('An identity by mutual TLS; a * at the end stands for anything.'), {
        description:
          'Callers that may set weir-tier, weir-user and weir-tenant themselves, beside the sidecars of the mesh, which ' +
          'show its token or an identity of a service of it. From all others these headers are removed.',
        maxItems: trustedIdentitiesMax,
      }),
    ),
  },
  {
    ...strict,
    description:
      'The tier of each request, set where it enters the mesh and inherited by the calls that the app makes for it, as ' +
      'long as the app forwards traceparent.',
  },
);
export type PrioritiesSpec = Static<typeof PrioritiesSpec>;
