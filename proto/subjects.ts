/**
 * Every NATS name Weir uses, in one place. Tokens are `<ns>`, `<svc>`, `<id>`: DNS labels, so they never contain the
 * dot that separates tokens. Shards spread the aggregation over control planes: `shard = fnv1a(ns/svc) % 64`, of the
 * reporting service for heartbeats and of the target for reports.
 */
import { fnv1a } from './kernel/fnv.ts';

export const shardCount = 64;

/** A service in the mesh. Its key in text is `<namespace>/<service>`. */
export interface ServiceName {
  readonly namespace: string;
  readonly service: string;
}

export function serviceKey(name: ServiceName): string {
  return `${name.namespace}/${name.service}`;
}

/** Parses `<ns>/<svc>`; undefined when it is not of that form. */
export function parseServiceKey(key: string): ServiceName | undefined {
  const match = /^([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)\/([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)$/.exec(key);
  return match ? { namespace: match[1]!, service: match[2]! } : undefined;
}

export function shardOf(key: string): number {
  return fnv1a(key) % shardCount;
}

const token = (name: ServiceName): string => `${name.namespace}.${name.service}`;

/** JetStream KV buckets (streams `KV_<bucket>`). */
export const buckets = {
  policy: 'weir_policy',
  endpoints: 'weir_endpoints',
  lease: 'weir_lease',
  /** Access tokens, hashed. */
  access: 'weir_access',
} as const;

/** Keys inside the buckets. */
export const keys = {
  bundle: (target: ServiceName): string => `svc.${token(target)}`,
  document: (namespace: string, name: string): string => `doc.${namespace}.${name}`,
  revision: (namespace: string, name: string, revision: number): string => `rev.${namespace}.${name}.${revision}`,
  /** The newest rollout of a policy. */
  rollout: (namespace: string, name: string): string => `ro.${namespace}.${name}`,
  token: (id: string): string => `token.${id}`,
  /** Who made the first token; one control plane wins. */
  firstToken: 'first',
  epoch: 'epoch',
  endpoints: (service: ServiceName): string => token(service),
  lease: (group: number): string => `leader.${group}`,
} as const;

/** `republish` of the buckets: `$KV.<bucket>.>` to these. */
export const republish = {
  policy: 'weir.pol.>',
  endpoints: 'weir.ep.>',
  lease: 'weir.lease.>',
} as const;

/** Core subjects. */
export const subjects = {
  heartbeat: (from: ServiceName, id: string): string => `weir.hb.${shardOf(serviceKey(from))}.${token(from)}.${id}`,
  heartbeatAll: 'weir.hb.>',
  ack: (from: ServiceName, id: string): string => `weir.ack.${token(from)}.${id}`,
  ackAll: 'weir.ack.>',
  /** One message per target shard, so that the shard's leader sees every caller. */
  report: (shard: number, from: ServiceName, id: string): string => `weir.rep.${shard}.${token(from)}.${id}`,
  reportAll: 'weir.rep.>',
  verdict: (target: ServiceName): string => `weir.brk.${token(target)}`,
  verdictAll: 'weir.brk.>',
  /** Results of probes in time slots, heard by every caller of the target. */
  slot: (target: ServiceName, from: ServiceName, id: string): string =>
    `weir.slot.${token(target)}.${token(from)}.${id}`,
  slotsOf: (target: ServiceName): string => `weir.slot.${token(target)}.>`,
  slotAll: 'weir.slot.>',
  /** What one control plane was asked to force, for the one that leads the target. */
  force: (target: ServiceName): string => `weir.force.${token(target)}`,
  forceAll: 'weir.force.>',
  grant: (to: ServiceName, id: string): string => `weir.grant.${token(to)}.${id}`,
  endpoints: (service: ServiceName): string => `weir.ep.${token(service)}`,
  bundle: (target: ServiceName): string => `weir.pol.svc.${token(target)}`,
  command: (to: ServiceName, id: string): string => `weir.cmd.${token(to)}.${id}`,
  /** A control plane says that it lives. Its id may hold dots. */
  presence: (controlPlane: string): string => `weir.cp.${controlPlane}`,
  presenceAll: 'weir.cp.>',
  /** A control plane that has just begun to listen asks all sidecars for a heartbeat. */
  rollCall: 'weir.roll',
} as const;

/** Where answers to the requests of one sidecar, or of one control plane, arrive: nobody else may listen there. */
export const sidecarInbox = (of: ServiceName, id: string): string => `_INBOX.${token(of)}.${id}`;
/** No namespace can be called so. */
export const controlPlaneInbox = (id: string): string => `_INBOX._cp.${id}`;

/** Streams. */
export const streams = {
  events: 'WEIR_EVENTS',
  eventsSubject: 'weir.ev.>',
  event: (kind: string, target: ServiceName): string => `weir.ev.${kind}.${token(target)}`,
  /** Parked requests, by the service they are for. */
  retry: 'WEIR_RETRY',
  retrySubjects: 'weir.retry.>',
  retrySubject: (target: ServiceName): string => `weir.retry.${token(target)}`,
  /** The one consumer through which all sidecars of a service take what is parked for it. */
  retryConsumer: (target: ServiceName): string => `retry_${target.namespace}_${target.service}`,
  dead: 'WEIR_DLQ',
  deadSubjects: 'weir.dlq.>',
  deadSubject: (target: ServiceName): string => `weir.dlq.${token(target)}`,
} as const;
