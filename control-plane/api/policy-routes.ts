/** Policies over REST. The body is given to the policy parser as it came, which finds every error with its place. */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { Type } from 'typebox';
import { PolicyList, RevisionList } from '../../proto/api.ts';
import { parsePolicyYaml } from '../../proto/policy/parse.ts';
import { dnsLabelPattern, TrafficPolicy } from '../../proto/policy/schema.ts';
import { entityTag } from '../policy/revisions.ts';
import type { PolicyService } from '../service/policy-service.ts';
import { sendProblem, sendRefusal } from './problem.ts';

export const bodyBytesMax = 1024 * 1024;
const pageMax = 1_000;

const label = Type.String({ pattern: dnsLabelPattern, maxLength: 63 });
const strict = { additionalProperties: false } as const;
const InNamespace = Type.Object({ namespace: label }, strict);
const Named = Type.Object({ namespace: label, name: label }, strict);
const Nothing = Type.Object({}, strict);
const DryRun = Type.Object({ dryRun: Type.Optional(Type.Enum(['All'], { type: 'string' })) }, strict);
const Page = Type.Object(
  {
    namespace: Type.Optional(label),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: pageMax })),
    continue: Type.Optional(Type.String({ maxLength: 256, pattern: '^[A-Za-z0-9_-]+$' })),
  },
  strict,
);

interface NamedParams {
  readonly namespace: string;
  readonly name: string;
}

export interface PolicyRoutesOptions {
  readonly policies: PolicyService;
  /** Who is writing, for the audit. */
  readonly by: () => string;
}

export function policyRoutes(app: FastifyInstance, { policies, by }: PolicyRoutesOptions): void {
  /** A YAML text: the parsed document, or undefined when the problem was sent. */
  const documentOf = (body: unknown, reply: FastifyReply): unknown => {
    if (!(body instanceof YamlText)) return body;
    const parsed = parsePolicyYaml(body.text);
    if (!parsed.ok) {
      sendProblem(reply, 'invalid-policy', { errors: [...parsed.errors] });
      return undefined;
    }
    if (parsed.policies.length === 1) return parsed.policies[0];
    sendProblem(reply, 'invalid-request', { detail: `one document at a time; there are ${parsed.policies.length}` });
    return undefined;
  };
  /** Reads are answered from memory: what was never loaded is not known, which is not the same as empty. */
  const isKnown = (reply: FastifyReply): boolean => {
    if (!policies.isLoaded()) {
      sendProblem(reply, 'unavailable', { detail: 'the policies are not known yet: there is no connection to NATS' });
      return false;
    }
    if (policies.isStale()) reply.header('weir-stale', 'true');
    return true;
  };
  const sendPolicy = (reply: FastifyReply, status: number, policy: TrafficPolicy): FastifyReply =>
    reply
      .code(status)
      .header('etag', entityTag(policy.metadata.resourceVersion ?? ''))
      .send(policy);

  app.get<{ Querystring: { namespace?: string; limit?: number; continue?: string } }>(
    '/v1/policies',
    { schema: { summary: 'List policies', querystring: Page, response: { 200: PolicyList } } },
    async (request, reply) => {
      if (!isKnown(reply)) return reply;
      const { namespace, limit, continue: after } = request.query;
      const all = policies.list(namespace);
      const from = after === undefined ? '' : Buffer.from(after, 'base64url').toString();
      const rest = all.filter((policy) => nameOf(policy) > from);
      if (limit === undefined || rest.length <= limit) return reply.send({ items: rest });
      const items = rest.slice(0, limit);
      return reply.send({ items, continue: Buffer.from(nameOf(items[limit - 1]!)).toString('base64url') });
    },
  );

  app.post<{ Params: { namespace: string }; Querystring: { dryRun?: string } }>(
    '/v1/namespaces/:namespace/policies',
    {
      schema: {
        summary: 'Create a policy',
        params: InNamespace,
        querystring: DryRun,
        response: { 201: TrafficPolicy },
      },
      config: { describedBody: TrafficPolicy },
    },
    async (request, reply) => {
      const document = documentOf(request.body, reply);
      if (document === undefined && reply.sent) return reply;
      const { namespace } = request.params;
      const dryRun = request.query.dryRun === 'All';
      const outcome = await policies.create(document, { namespace, by: by(), dryRun });
      if (outcome.kind !== 'ok') return sendRefusal(reply, outcome);
      const { name } = outcome.policy.metadata;
      if (dryRun) return reply.code(200).send(outcome.policy);
      reply.header('location', `/v1/namespaces/${namespace}/policies/${name}`);
      return sendPolicy(reply, 201, outcome.policy);
    },
  );

  app.get<{ Params: NamedParams }>(
    '/v1/namespaces/:namespace/policies/:name',
    { schema: { summary: 'Read a policy', params: Named, querystring: Nothing, response: { 200: TrafficPolicy } } },
    async (request, reply) => {
      if (!isKnown(reply)) return reply;
      const { namespace, name } = request.params;
      const policy = policies.get(namespace, name);
      if (!policy) return sendProblem(reply, 'not-found', { detail: `there is no policy ${namespace}/${name}` });
      if (request.headers['if-none-match'] === entityTag(policy.metadata.resourceVersion ?? ''))
        return reply.code(304).send();
      return sendPolicy(reply, 200, policy);
    },
  );

  app.put<{ Params: NamedParams; Querystring: { dryRun?: string } }>(
    '/v1/namespaces/:namespace/policies/:name',
    {
      schema: {
        summary: 'Replace a policy; needs If-Match',
        params: Named,
        querystring: DryRun,
        response: { 200: TrafficPolicy },
      },
      config: { describedBody: TrafficPolicy },
    },
    async (request, reply) => {
      const document = documentOf(request.body, reply);
      if (document === undefined && reply.sent) return reply;
      const { namespace, name } = request.params;
      const dryRun = request.query.dryRun === 'All';
      const options = { namespace, by: by(), dryRun };
      const outcome = await policies.replace(document, name, request.headers['if-match'], options);
      if (outcome.kind !== 'ok') return sendRefusal(reply, outcome);
      return dryRun ? reply.code(200).send(outcome.policy) : sendPolicy(reply, 200, outcome.policy);
    },
  );

  app.delete<{ Params: NamedParams }>(
    '/v1/namespaces/:namespace/policies/:name',
    {
      schema: {
        summary: 'Delete a policy; needs If-Match',
        params: Named,
        querystring: Nothing,
        response: { 200: TrafficPolicy },
      },
    },
    async (request, reply) => {
      const { namespace, name } = request.params;
      const outcome = await policies.remove(namespace, name, request.headers['if-match'], by());
      return outcome.kind === 'ok' ? reply.code(200).send(outcome.policy) : sendRefusal(reply, outcome);
    },
  );

  app.get<{ Params: NamedParams }>(
    '/v1/namespaces/:namespace/policies/:name/revisions',
    {
      schema: {
        summary: 'History of a policy, newest first',
        params: Named,
        querystring: Nothing,
        response: { 200: RevisionList },
      },
    },
    async (request, reply) => {
      const { namespace, name } = request.params;
      const outcome = await policies.revisions(namespace, name);
      return outcome.kind === 'ok' ? reply.send({ items: outcome.revisions }) : sendRefusal(reply, outcome);
    },
  );
}

/** What the content type parser makes of application/yaml: parsed in the route, where a problem can be answered. */
export class YamlText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

const nameOf = ({ metadata }: TrafficPolicy): string => `${metadata.namespace}/${metadata.name}`;
