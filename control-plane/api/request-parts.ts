/** What requests of several resources have in common: names in paths, the parameters of writes, pages, documents. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { parsePolicyYaml } from '../../proto/policy/parse.ts';
import { dnsLabelPattern, type TrafficPolicy } from '../../proto/policy/schema.ts';
import { entityTag } from '../policy/revisions.ts';
import type { PolicyService, WriteOptions } from '../service/policy-service.ts';
import { sendProblem } from './problem.ts';

const pageMax = 1_000;

export const strict = { additionalProperties: false } as const;
export const Label = Type.String({ pattern: dnsLabelPattern, maxLength: 63 });
export const Nothing = Type.Object({}, strict);
export const InNamespace = Type.Object({ namespace: Label }, strict);
export type InNamespace = Static<typeof InNamespace>;
export const Named = Type.Object({ namespace: Label, name: Label }, strict);
export type Named = Static<typeof Named>;

export const WriteQuery = Type.Object(
  {
    dryRun: Type.Optional(
      Type.Enum(['All'], { type: 'string', description: 'All: check everything and change nothing.' }),
    ),
    reason: Type.Optional(Type.String({ maxLength: 200, description: 'Why, for the history and the audit.' })),
  },
  strict,
);
export type WriteQuery = Static<typeof WriteQuery>;

export const pageFields = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: pageMax, description: 'At most so many; default: all.' })),
  continue: Type.Optional(
    Type.String({
      maxLength: 512,
      pattern: '^[A-Za-z0-9_-]+$',
      description: 'Of the page before: what follows it.',
    }),
  ),
};
export const PageQuery = Type.Object(pageFields, strict);
export type PageQuery = Static<typeof PageQuery>;
/** A list, or with `watch` the same kept up to date by server-sent events. */
export const WatchableQuery = Type.Object(
  {
    namespace: Type.Optional(Label),
    ...pageFields,
    watch: Type.Optional(
      Type.Boolean({
        description:
          'true: server-sent events added, modified and deleted with an object each; synced after those that are there.',
      }),
    ),
  },
  strict,
);
export type WatchableQuery = Static<typeof WatchableQuery>;
export const NamespacedPageQuery = Type.Object({ namespace: Type.Optional(Label), ...pageFields }, strict);
export type NamespacedPageQuery = Static<typeof NamespacedPageQuery>;

/** Of items in the order of their names; what comes or goes between two pages moves no other. */
export function pageOf<T>(
  all: readonly T[],
  nameOf: (item: T) => string,
  { limit, continue: after }: PageQuery,
): { items: T[]; continue?: string } {
  const from = after === undefined ? '' : Buffer.from(after, 'base64url').toString();
  const rest = all.filter((item) => nameOf(item) > from);
  const items = limit === undefined ? rest : rest.slice(0, limit);
  const last = items.at(-1);
  if (items.length === rest.length || last === undefined) return { items };
  return { items, continue: Buffer.from(nameOf(last)).toString('base64url') };
}

export function writeOptions(by: string, namespace: string, { dryRun, reason }: WriteQuery): WriteOptions {
  return { namespace, by, reason, dryRun: dryRun === 'All' };
}

/** Answers 304 to who has this version already. */
export function sendVersioned(
  request: FastifyRequest,
  reply: FastifyReply,
  resourceVersion: string,
  body: unknown,
  status = 200,
): FastifyReply {
  const tag = entityTag(resourceVersion);
  reply.header('etag', tag);
  if (request.method === 'GET' && request.headers['if-none-match'] === tag) return reply.code(304).send();
  return reply.code(status).send(body);
}

/** Answers with the objects as they are, and with what becomes of them. */
export type Watch = (request: FastifyRequest, reply: FastifyReply, namespace: string | undefined) => FastifyReply;

/** Reads are answered from memory: what was never loaded is not known, which is not the same as empty. */
export function isKnown(policies: PolicyService, reply: FastifyReply): boolean {
  if (!policies.isLoaded()) {
    sendProblem(reply, 'unavailable', { detail: 'the policies are not known yet: there is no connection to NATS' });
    return false;
  }
  if (policies.isStale()) reply.header('weir-stale', 'true');
  return true;
}

/** What the content type parser makes of application/yaml: parsed in the route, where a problem can be answered. */
export class YamlText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A YAML text: the parsed document, or undefined when the problem was sent. */
export function documentOf(body: unknown, reply: FastifyReply): unknown {
  if (!(body instanceof YamlText)) return body;
  const parsed = parsePolicyYaml(body.text);
  if (!parsed.ok) {
    sendProblem(reply, 'invalid-policy', { errors: [...parsed.errors] });
    return undefined;
  }
  if (parsed.policies.length === 1) return parsed.policies[0];
  sendProblem(reply, 'invalid-request', { detail: `one document at a time; there are ${parsed.policies.length}` });
  return undefined;
}

export const policyKey = ({ metadata }: TrafficPolicy): string => `${metadata.namespace}/${metadata.name}`;
