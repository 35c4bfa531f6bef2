/**
 * What the REST API answers, as TypeBox schemas: fastify serialises by them, OpenAPI is generated from them, the CLI
 * and the dashboard take their types from them. Times that people read are RFC 3339 strings; ages are milliseconds at
 * the moment of the answer, so that no two clocks need to agree.
 */
import { type Static, Type } from 'typebox';
import { TrafficPolicy } from './policy/schema.ts';

const nullable = <T extends Parameters<typeof Type.Union>[0][number]>(type: T) => Type.Union([type, Type.Null()]);

export const RejectedByReason = Type.Record(Type.String(), Type.Number());

/** Rates and latencies over the last few seconds; null means "not known", never zero. */
export const TrafficView = Type.Object({
  requestsPerSecond: nullable(Type.Number()),
  /** Share of requests that reached the upstream and succeeded, 0..1. */
  successRatio: nullable(Type.Number()),
  failuresPerSecond: nullable(Type.Number()),
  rejectedPerSecond: RejectedByReason,
  p50Ms: nullable(Type.Number()),
  p99Ms: nullable(Type.Number()),
  inFlight: nullable(Type.Number()),
  concurrencyLimit: nullable(Type.Number()),
  queueDepth: nullable(Type.Number()),
});
export type TrafficView = Static<typeof TrafficView>;

export const BreakerStateName = Type.Union([
  Type.Literal('closed'),
  Type.Literal('open'),
  Type.Literal('half_open'),
  Type.Literal('ramp'),
  Type.Literal('forced_open'),
  Type.Literal('forced_closed'),
]);
export type BreakerStateName = Static<typeof BreakerStateName>;

export const AppliedView = Type.Object({
  target: Type.String(),
  version: Type.Number(),
  hash: Type.String(),
  status: Type.String({ description: 'applied, rejected or held' }),
  message: Type.String(),
});
export type AppliedView = Static<typeof AppliedView>;

export const InstanceBreakerView = Type.Object({
  target: Type.String(),
  local: BreakerStateName,
  fleet: BreakerStateName,
  generation: Type.Number(),
  ageMs: Type.Number(),
  cause: Type.String(),
});
export type InstanceBreakerView = Static<typeof InstanceBreakerView>;

export const InstanceView = Type.Object({
  namespace: Type.String(),
  service: Type.String(),
  instance: Type.String(),
  incarnation: Type.String(),
  zone: Type.String(),
  version: Type.String(),
  address: Type.String(),
  state: Type.Union([Type.Literal('live'), Type.Literal('stale'), Type.Literal('draining')]),
  lastSeenMs: Type.Number({ description: 'age of the last heartbeat' }),
  policies: Type.Array(AppliedView),
  breakers: Type.Array(InstanceBreakerView),
  inbound: TrafficView,
  outbound: Type.Array(Type.Object({ target: Type.String(), traffic: TrafficView })),
  rssBytes: nullable(Type.Number()),
  bufferedBytes: nullable(Type.Number()),
  loopLagMs: nullable(Type.Number()),
  uptimeMs: nullable(Type.Number()),
});
export type InstanceView = Static<typeof InstanceView>;

export const PolicyStatusView = Type.Object({
  /** null when no policy is about this service. */
  version: nullable(Type.Number()),
  hash: nullable(Type.String()),
  /** Live sidecars that report this hash, of those that should have it: the service's own and its callers. */
  applied: Type.Number(),
  expected: Type.Number(),
  rejected: Type.Array(Type.Object({ instance: Type.String(), message: Type.String() })),
  /** Heard, but not about this bundle yet. */
  behind: Type.Array(Type.String()),
  /** Heard of it and keep it back for now. */
  held: Type.Array(Type.String()),
  summary: Type.String({ description: 'One line: "97/100: 2 stale, 1 refused because …".' }),
});
export type PolicyStatusView = Static<typeof PolicyStatusView>;

export const BreakerCellView = Type.Object({
  caller: Type.String(),
  target: Type.String(),
  /** The worst effective state over the caller's instances, and how many are in which. */
  state: BreakerStateName,
  fleet: Type.Boolean(),
  counts: Type.Record(Type.String(), Type.Number()),
  ageMs: Type.Number(),
  cause: Type.String(),
  instances: Type.Array(
    Type.Object({
      instance: Type.String(),
      local: BreakerStateName,
      fleet: BreakerStateName,
      ageMs: Type.Number(),
      cause: Type.String(),
    }),
  ),
});
export type BreakerCellView = Static<typeof BreakerCellView>;

export const FleetBreakerView = Type.Object({
  target: Type.String(),
  state: BreakerStateName,
  generation: Type.Number(),
  epoch: Type.String(),
  openedAt: nullable(Type.String()),
  ageMs: Type.Number(),
  coolMs: Type.Number(),
  /** "opened 14:02:11, 4 of 4 callers, 61/80 failed, fleet" without the time: the browser adds it in its own zone. */
  evidence: Type.String(),
  voters: Type.Number(),
  failingVoters: Type.Number(),
  n: Type.Number(),
  fail: Type.Number(),
});
export type FleetBreakerView = Static<typeof FleetBreakerView>;

/** A rate limit that the instances of a service share; rates are cost per second. */
export const QuotaView = Type.Object({
  limit: Type.String({ description: 'its name, after "<route>/" where a route has it' }),
  ratePerSecond: Type.Number(),
  instances: Type.Number({ description: 'that may hold a part of it' }),
  heard: Type.Number({ description: 'of them, within the last second' }),
  demandPerSecond: Type.Number(),
  admittedPerSecond: Type.Number(),
  utilisation: Type.Number({ description: 'admitted, of the rate' }),
  leasedPerSecond: Type.Number({ description: 'what those that are heard may admit' }),
  reservedPerSecond: Type.Number({ description: 'kept for instances that are silent, or that nobody knows yet' }),
  overshoot: Type.Number({
    description: 'admitted without a lease (withoutControlPlane: open), since this process began',
  }),
  leading: Type.Boolean({ description: 'this control plane shares it out; of another one it tells what it hears' }),
  settling: Type.Boolean({ description: 'a new leader that only gives back what is held' }),
  explanation: Type.String(),
});
export type QuotaView = Static<typeof QuotaView>;

/** What an autoscaler may go by. */
export const ScalingView = Type.Object({
  wanted: nullable(Type.Number({ description: 'instances; null = not known, so change nothing' })),
  demand: Type.Number({ description: 'requests at once, with those refused for want of capacity' }),
  targetConcurrency: Type.Number({ description: 'that one instance is to have' }),
  bottleneck: Type.Union([Type.Literal('none'), Type.Literal('service'), Type.Literal('downstream')]),
  explanation: Type.String(),
});
export type ScalingView = Static<typeof ScalingView>;

export const ServiceView = Type.Object({
  namespace: Type.String(),
  service: Type.String(),
  live: Type.Number(),
  stale: Type.Number(),
  draining: Type.Number(),
  policy: PolicyStatusView,
  /** What the service's own sidecars saw arrive. */
  inbound: TrafficView,
  /** Requests per second over the last 60 s, one point per second, oldest first; null = no report. */
  sparkline: Type.Array(nullable(Type.Number())),
  breaker: FleetBreakerView,
  quotas: Type.Array(QuotaView),
  callers: Type.Array(Type.String()),
  targets: Type.Array(Type.String()),
  /** Higher is worse; the dashboard's order. */
  attention: Type.Number(),
});
export type ServiceView = Static<typeof ServiceView>;

export const InstanceList = Type.Object({ items: Type.Array(InstanceView), continue: Type.Optional(Type.String()) });
export type InstanceList = Static<typeof InstanceList>;
export const ServiceList = Type.Object({ items: Type.Array(ServiceView), continue: Type.Optional(Type.String()) });
export type ServiceList = Static<typeof ServiceList>;

export const EventView = Type.Object({
  at: Type.String(),
  kind: Type.String({ description: 'breaker, policy, instance, leader' }),
  target: Type.String(),
  text: Type.String(),
});
export type EventView = Static<typeof EventView>;

/** One server-sent `fleet` event: everything the first dashboard shows. */
export const FleetSnapshot = Type.Object({
  at: Type.String(),
  controlPlane: Type.Object({
    id: Type.String(),
    leader: Type.Boolean(),
    natsConnected: Type.Boolean(),
    epoch: Type.String(),
  }),
  services: Type.Array(ServiceView),
  breakers: Type.Array(BreakerCellView),
  /** The newest last, at most 50. */
  events: Type.Array(EventView),
});
export type FleetSnapshot = Static<typeof FleetSnapshot>;

/** RFC 9457, with every error at once. */
export const ProblemView = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Number(),
  detail: Type.Optional(Type.String()),
  errors: Type.Optional(
    Type.Array(
      Type.Object({
        pointer: Type.String(),
        message: Type.String(),
        hint: Type.Optional(Type.String()),
        line: Type.Optional(Type.Number()),
        column: Type.Optional(Type.Number()),
      }),
    ),
  ),
  current: Type.Optional(Type.Unknown()),
});
export type ProblemView = Static<typeof ProblemView>;

export const PolicyList = Type.Object({
  items: Type.Array(TrafficPolicy),
  /** To be given as `continue` to have what follows; absent on the last page. */
  continue: Type.Optional(Type.String()),
});
export type PolicyList = Static<typeof PolicyList>;

export const RevisionView = Type.Object({
  revision: Type.Number(),
  action: Type.String({ description: 'create, update or delete' }),
  at: Type.String(),
  by: Type.String(),
  /** One line: what is different from the revision before. */
  summary: Type.String(),
  reason: Type.String({ description: 'What the writer said about it; empty = nothing.' }),
  /** null after a deletion. */
  policy: nullable(TrafficPolicy),
});
export type RevisionView = Static<typeof RevisionView>;

/** The newest first. */
export const RevisionList = Type.Object({ items: Type.Array(RevisionView), continue: Type.Optional(Type.String()) });
export type RevisionList = Static<typeof RevisionList>;

export const RevisionDiffView = Type.Object({
  from: Type.Number(),
  to: Type.Number(),
  /** One line, as in the history. */
  summary: Type.String(),
  changes: Type.Array(
    Type.Object({
      pointer: Type.String(),
      /** Absent: the field was not there. */
      before: Type.Optional(Type.Unknown()),
      /** Absent: the field is gone. */
      after: Type.Optional(Type.Unknown()),
    }),
  ),
});
export type RevisionDiffView = Static<typeof RevisionDiffView>;

export const VersionView = Type.Object({ name: Type.String(), version: Type.String(), id: Type.String() });
export type VersionView = Static<typeof VersionView>;

export const DeadLetterView = Type.Object({
  /** Names it: where it stands among the dead letters. */
  sequence: Type.Number(),
  target: Type.String(),
  reference: Type.String(),
  from: Type.String(),
  method: Type.String(),
  path: Type.String(),
  bytes: Type.Number(),
  parkedAt: Type.String(),
  parkedFor: Type.String({ description: 'why it was parked' }),
  diedAt: Type.String(),
  reason: Type.String({ description: 'unprocessable, deliveries_spent, expired or undecodable' }),
  answer: Type.String({ description: 'what the service said: "http 422", "grpc 3", a reason of Weir, or nothing' }),
  deliveries: Type.Number(),
  instance: Type.String(),
});
export type DeadLetterView = Static<typeof DeadLetterView>;

export const DeadLetterList = Type.Object({
  items: Type.Array(DeadLetterView),
  /** To be given as `continue` to have what follows; absent on the last page. */
  continue: Type.Optional(Type.String()),
});
export type DeadLetterList = Static<typeof DeadLetterList>;

export const DeadLetterCounts = Type.Object({ services: Type.Record(Type.String(), Type.Number()) });
export type DeadLetterCounts = Static<typeof DeadLetterCounts>;

export const DeadLetterDetail = Type.Object({
  ...DeadLetterView.properties,
  isGrpc: Type.Boolean(),
  authority: Type.String(),
  headers: Type.Array(Type.Object({ name: Type.String(), value: Type.String() })),
  /** Base64. */
  body: Type.String(),
  isTruncated: Type.Boolean(),
});
export type DeadLetterDetail = Static<typeof DeadLetterDetail>;

export const RedriveView = Type.Object({
  target: Type.String(),
  ratePerSecond: Type.Number(),
  by: Type.String(),
  moved: Type.Number(),
  /** Could not be read, and stay. */
  skipped: Type.Number(),
  state: Type.Union([Type.Literal('running'), Type.Literal('done'), Type.Literal('stopped')]),
  /** Why it does not get on; empty while it does. */
  problem: Type.String(),
});
export type RedriveView = Static<typeof RedriveView>;
export const RedriveList = Type.Object({ items: Type.Array(RedriveView) });
export type RedriveList = Static<typeof RedriveList>;
