/**
 * What each kind of client may say and hear at NATS, so that a stolen credential of one service is worth no more than
 * that service: it cannot speak in another's name, nor read what is not about it or about a service that it calls.
 *
 * A sidecar's name stands in each subject it publishes to, and receivers believe a message only when its content names the
 * same sidecar. Reading goes by Direct Get, whose subject ends in the key, so that single keys can be allowed; the API
 * that reads any key of a stream is not.
 */
import { buckets, type ServiceName, sidecarInbox, streams, subjects } from './subjects.ts';

export interface NatsPermissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
  /** May answer a request that it received, once, within this time. */
  readonly answerWithinMs: number;
}

export interface SidecarScope {
  readonly service: ServiceName;
  /** `*`: every instance of the service, which then may speak for each other. */
  readonly instance: string;
  /** The services that it calls. */
  readonly targets: readonly ServiceName[];
  /** Of the consumer of its parked requests; default: as its sidecars call it. */
  readonly retryConsumer?: string;
  /** The queue that it feeds its app from (--consume); default: none. */
  readonly consumes?: { readonly stream: string; readonly consumer: string };
}

/**
 * For a scoped signing key: the user's name is the instance; its tags are `ns:…`, `svc:…`, `retry:retry_<ns>_<svc>`, and
 * `target-ns:…`, `target-svc:…` of what it calls. Only whole tokens can be templates.
 */
export const templateScope: SidecarScope = {
  service: { namespace: '{{tag(ns)}}', service: '{{tag(svc)}}' },
  instance: '{{name()}}',
  targets: [{ namespace: '{{tag(target-ns)}}', service: '{{tag(target-svc)}}' }],
  retryConsumer: '{{tag(retry)}}',
};

const answerWithinMs = 5_000;

export function sidecarPermissions(scope: SidecarScope): NatsPermissions {
  const { service, instance, targets } = scope;
  const own = `${service.namespace}.${service.service}.${instance}`;
  const known = [service, ...targets];
  return {
    publish: [
      `weir.hb.*.${own}`,
      subjects.ack(service, instance),
      `weir.rep.*.${own}`,
      ...targets.map((target) => subjects.slot(target, service, instance)),
      ...known.map((target) => reading(buckets.policy, `svc.${target.namespace}.${target.service}`)),
      ...targets.map((target) => reading(buckets.endpoints, `${target.namespace}.${target.service}`)),
      ...parking(scope),
      ...consuming(scope),
    ],
    subscribe: [
      `${sidecarInbox(service, instance)}.>`,
      subjects.grant(service, instance),
      subjects.command(service, instance),
      subjects.rollCall,
      // Of its own service, too: the fleet may ask how its app is.
      ...known.flatMap((target) => [subjects.bundle(target), subjects.verdict(target)]),
      ...targets.flatMap((target) => [subjects.endpoints(target), subjects.slotsOf(target)]),
    ],
    answerWithinMs,
  };
}

/** A control plane owns everything of Weir's, and nothing else in the account. */
export function controlPlanePermissions(): NatsPermissions {
  const streams = [...Object.values(buckets).map((bucket) => `KV_${bucket}`), 'WEIR_*'];
  return {
    publish: ['weir.>', ...Object.values(buckets).map((bucket) => `$KV.${bucket}.>`), '$JS.API.>', '$JS.ACK.>'],
    subscribe: ['weir.>', '_INBOX._cp.>', ...streams.map((stream) => `$JS.EVENT.ADVISORY.*.*.${stream}.>`)],
    answerWithinMs,
  };
}

/** A `permissions` block of nats-server's configuration. */
export function asServerConfig({ publish, subscribe, answerWithinMs }: NatsPermissions): string {
  const list = (all: readonly string[]): string =>
    `[\n${all.map((each) => `    ${JSON.stringify(each)}`).join('\n')}\n  ]`;
  return [
    'permissions {',
    `  publish: ${list(publish)}`,
    `  subscribe: ${list(subscribe)}`,
    `  allow_responses: { max: 1, expires: "${answerWithinMs}ms" }`,
    '}',
    '',
  ].join('\n');
}

/** The same for a user's JWT, or the template of a scoped signing key; times are in nanoseconds there. */
export function asJwtPermissions({ publish, subscribe, answerWithinMs }: NatsPermissions) {
  return { pub: { allow: publish }, sub: { allow: subscribe }, resp: { max: 1, ttl: answerWithinMs * 1_000_000 } };
}

/** Parks for what it calls; takes what is parked for itself, and what is undeliverable of that it lays aside. */
function parking({ service, targets, retryConsumer = streams.retryConsumer(service) }: SidecarScope): string[] {
  const own = `${streams.retry}.${retryConsumer}`;
  return [
    ...targets.map((target) => streams.retrySubject(target)),
    streams.deadSubject(service),
    `$JS.API.STREAM.INFO.${streams.retry}`,
    `$JS.API.STREAM.INFO.${streams.dead}`,
    `$JS.API.STREAM.INFO.${streams.dead}`,
    `$JS.API.CONSUMER.CREATE.${own}.${streams.retrySubject(service)}`,
    `$JS.API.CONSUMER.MSG.NEXT.${own}`,
    `$JS.ACK.${own}.>`,
  ];
}

function consuming({ consumes }: SidecarScope): string[] {
  if (consumes === undefined) return [];
  const own = `${consumes.stream}.${consumes.consumer}`;
  return [
    ...['CONSUMER.INFO', 'CONSUMER.DURABLE.CREATE', 'CONSUMER.MSG.NEXT'].map((call) => `$JS.API.${call}.${own}`),
    `$JS.ACK.${own}.>`,
  ];
}

function reading(bucket: string, key: string): string {
  return `$JS.API.DIRECT.GET.KV_${bucket}.$KV.${bucket}.${key}`;
}
