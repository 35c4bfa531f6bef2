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
import { OutboundSpec } from './schema-outbound.ts';
import { dnsLabel, dnsLabelPattern, duration, marker, oneMember, oneOf, rate, size, strict } from './schema-parts.ts';

export * from './schema-outbound.ts';
export { dnsLabelPattern, durationPattern, ratePattern, sizePattern } from './schema-parts.ts';

export const policyApiVersion = 'weir.dev/v1alpha1';
export const policyKind = 'TrafficPolicy';

/** A field name of RFC 9110 §5.1; pseudo-headers begin with a colon and are not among them. */
const headerNamePattern = "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$";
/** Kubernetes' form of label keys: an optional DNS prefix and a name. */
const labelKeyPattern = '^([a-z0-9][a-z0-9.-]{0,252}/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$';

export const KeySpec = Type.Object(
  {
    header: Type.Optional(
      Type.String({
        description: 'One bucket per value of this request header; requests without it share one bucket.',
        pattern: headerNamePattern,
        minLength: 1,
        maxLength: 64,
      }),
    ),
    address: Type.Optional(marker('One bucket per address of the caller.')),
    method: Type.Optional(marker('One bucket per HTTP method.')),
    path: Type.Optional(marker('One bucket per path, without the query; for gRPC that is the method called.')),
  },
  { ...oneMember, description: 'What gives each caller a bucket of its own; without a key all share one.' },
);
export type KeySpec = Static<typeof KeySpec>;

export const RateLimitSpec = Type.Object(
  {
    name: dnsLabel('Name of the limit, unique in the policy; it appears in metrics and logs.'),
    scope: Type.Optional(
      oneOf(['perProxy'], { default: 'perProxy', description: 'perProxy: each sidecar of the service counts alone.' }),
    ),
    rate: rate({ min: '1/h', max: '10000000/s', description: 'Requests per second (s), minute (m) or hour (h).' }),
    burst: Type.Optional(
      Type.Integer({
        description: 'Requests admitted at once after a quiet time; default: the rate per second, at least 1.',
        minimum: 1,
        maximum: 10_000_000,
      }),
    ),
    key: Type.Optional(KeySpec),
    keysMax: Type.Optional(
      Type.Integer({
        description: 'Keys remembered at once; newcomers beyond that share one bucket. Needs key.',
        minimum: 1,
        maximum: 100_000,
        default: 10_000,
      }),
    ),
  },
  { ...strict, description: 'A token bucket (GCRA): admits at most rate·t + burst requests in any time t.' },
);
export type RateLimitSpec = Static<typeof RateLimitSpec>;

export const ConcurrencySpec = Type.Object(
  {
    fixed: Type.Optional(
      Type.Object(
        { limit: Type.Integer({ description: 'Requests in the service at once.', minimum: 1, maximum: 100_000 }) },
        { ...strict, description: 'A limit that does not move.' },
      ),
    ),
  },
  { ...oneMember, description: 'How many requests each sidecar lets into its service at once.' },
);
export type ConcurrencySpec = Static<typeof ConcurrencySpec>;

export const QueueSpec = Type.Object(
  {
    requestsMax: Type.Optional(
      Type.Integer({ description: 'Requests that may wait.', minimum: 1, maximum: 100_000, default: 100 }),
    ),
    bytesMax: Type.Optional(
      size({ min: '1KiB', max: '1GiB', default: '1MiB', description: 'Bytes that waiting requests may hold.' }),
    ),
    waitMax: Type.Optional(
      duration({
        min: '1ms',
        max: '1m',
        default: '200ms',
        description: 'Longest wait; after it a request is refused.',
      }),
    ),
  },
  { ...strict, description: 'Where requests above the concurrency limit wait, first come first served.' },
);
export type QueueSpec = Static<typeof QueueSpec>;

export const DeadlineSpec = Type.Object(
  {
    default: Type.Optional(
      duration({ min: '1ms', max: '1h', description: 'Given to requests that bring no deadline of their own.' }),
    ),
    max: Type.Optional(duration({ min: '1ms', max: '1h', description: 'Longer deadlines are cut to this.' })),
  },
  { ...strict, description: 'Time a request may take from its arrival; past it, it is refused or cancelled.' },
);
export type DeadlineSpec = Static<typeof DeadlineSpec>;

export const PaceSpec = Type.Object(
  {
    bytesPerSecond: Type.Optional(
      size({ min: '1KiB', max: '100GiB', description: 'Content a second that goes on to the reader.' }),
    ),
    messages: Type.Optional(
      rate({
        min: '1/h',
        max: '1000000/s',
        description: 'gRPC messages that go on to the reader; without effect on other content.',
      }),
    ),
  },
  {
    ...strict,
    minProperties: 1,
    description:
      'How fast one stream may flow. What comes faster waits, then slows its sender down; nothing is refused.',
  },
);
export type PaceSpec = Static<typeof PaceSpec>;

export const FlowControlSpec = Type.Object(
  {
    windowMax: Type.Optional(
      size({
        min: '16KiB',
        max: '64MiB',
        description:
          'Content of one stream that may be on its way or wait here; default: up to 1MiB, as it is drained.',
      }),
    ),
    stallTimeout: Type.Optional(
      duration({
        min: '100ms',
        max: '1h',
        description: 'A stream whose reader takes nothing for so long, while there is something to take, is ended.',
      }),
    ),
    requestPace: Type.Optional(PaceSpec),
    responsePace: Type.Optional(PaceSpec),
  },
  { ...strict, description: 'How content flows: how much may wait for a slow reader, how fast, and for how long.' },
);
export type FlowControlSpec = Static<typeof FlowControlSpec>;

export const InboundSpec = Type.Object(
  {
    rateLimits: Type.Optional(
      Type.Array(RateLimitSpec, { maxItems: 16, description: 'A request is admitted when every limit admits it.' }),
    ),
    concurrency: Type.Optional(ConcurrencySpec),
    queue: Type.Optional(QueueSpec),
    deadline: Type.Optional(DeadlineSpec),
    flowControl: Type.Optional(FlowControlSpec),
  },
  { ...strict, description: "Obeyed by the service's own sidecars." },
);
export type InboundSpec = Static<typeof InboundSpec>;

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
