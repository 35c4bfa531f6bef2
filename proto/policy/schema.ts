/**
 * TrafficPolicy: THE schema. The parser, the REST API, the CRD and the static types all come from here; nothing else
 * says what a policy may contain.
 *
 * It stays inside what a structural CRD schema can express (no types inside anyOf, no $ref), so a union is an object
 * with exactly one named member, and quantities with units are strings with a pattern. What a pattern cannot say, the
 * smallest and largest value of a quantity, is in `x-weir-quantity`, `x-weir-minimum` and `x-weir-maximum`, which
 * validate.ts obeys and the CRD turns into rules. Everything has a maximum: no value means "unbounded".
 */
import { type Static, Type } from 'typebox';
import { InboundSpec } from './schema-inbound.ts';
import { OutboundSpec } from './schema-outbound.ts';
import { dnsLabel, dnsLabelPattern, oneOf, strict } from './schema-parts.ts';
import { RoutesSpec } from './schema-routes.ts';

export * from './schema-breaker.ts';
export * from './schema-classification.ts';
export * from './schema-concurrency.ts';
export * from './schema-deadline.ts';
export * from './schema-fallback.ts';
export * from './schema-flow-control.ts';
export * from './schema-health-check.ts';
export * from './schema-inbound.ts';
export * from './schema-levels.ts';
export * from './schema-load-balancing.ts';
export * from './schema-match.ts';
export * from './schema-outbound.ts';
export * from './schema-outlier-detection.ts';
export * from './schema-parking.ts';
export { dnsLabelPattern, durationPattern, ratePattern, sizePattern } from './schema-parts.ts';
export * from './schema-priorities.ts';
export * from './schema-queue.ts';
export * from './schema-rate-limits.ts';
export * from './schema-routes.ts';
export * from './schema-throttle.ts';

export const policyApiVersion = 'weir.dev/v1alpha1';
export const policyKind = 'TrafficPolicy';

/** Kubernetes' form of label keys: an optional DNS prefix and a name. */
const labelKeyPattern = '^([a-z0-9][a-z0-9.-]{0,252}/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$';

export const PolicySpec = Type.Object(
  {
    target: Type.Object(
      {
        service: dnsLabel('The service, in the namespace of the policy.'),
        namespace: Type.Optional(dnsLabel('May be written, but must be the namespace of the policy.')),
      },
      { ...strict, description: 'The service that the policy is about.' },
    ),
    enforcement: Type.Optional(
      oneOf(['disabled', 'shadow', 'enforce'], {
        default: 'enforce',
        description: 'shadow counts what would be refused and refuses nothing; disabled does nothing.',
      }),
    ),
    inbound: Type.Optional(InboundSpec),
    outbound: Type.Optional(OutboundSpec),
    routes: Type.Optional(RoutesSpec),
  },
  { ...strict, description: 'How traffic to one service is limited and protected.' },
);
export type PolicySpec = Static<typeof PolicySpec>;

export const PolicyMetadata = Type.Object(
  {
    name: dnsLabel('Name of the policy, unique in its namespace.'),
    namespace: Type.Optional(
      Type.String({ description: 'Default: default.', pattern: dnsLabelPattern, maxLength: 63, default: 'default' }),
    ),
    labels: Type.Optional(
      Type.Record(Type.String({ pattern: labelKeyPattern }), Type.String({ maxLength: 63 }), {
        ...strict,
        maxProperties: 64,
        description: 'For people and selectors; without effect on traffic.',
      }),
    ),
    generation: Type.Optional(
      Type.Integer({ description: 'Counts changes of spec. Set by the server.', minimum: 0, maximum: 2 ** 53 - 1 }),
    ),
    resourceVersion: Type.Optional(
      Type.String({ description: 'Changes with every write. Set by the server.', maxLength: 64 }),
    ),
    creationTimestamp: Type.Optional(
      Type.String({
        description: 'RFC 3339, UTC. Set by the server.',
        pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?Z$',
        maxLength: 32,
      }),
    ),
  },
  { ...strict, description: 'What the policy is called and where it lives.' },
);
export type PolicyMetadata = Static<typeof PolicyMetadata>;

export const TrafficPolicy = Type.Object(
  {
    apiVersion: oneOf([policyApiVersion], { description: 'Version of this schema.' }),
    kind: oneOf([policyKind], { description: 'Kind of document.' }),
    metadata: PolicyMetadata,
    spec: PolicySpec,
  },
  { ...strict, description: 'A traffic policy for one service.' },
);
export type TrafficPolicy = Static<typeof TrafficPolicy>;
export type Enforcement = NonNullable<PolicySpec['enforcement']>;

export const defaultNamespace = 'default';

export function namespaceOf(policy: TrafficPolicy): string {
  return policy.metadata.namespace ?? defaultNamespace;
}

/** The key `<namespace>/<service>` of the service a policy is about. */
export function targetOf(policy: TrafficPolicy): string {
  return `${namespaceOf(policy)}/${policy.spec.target.service}`;
}
