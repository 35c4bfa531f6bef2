/** Policies over REST. The body is given to the policy parser as it came, which finds every error with its place. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { PolicyList } from '../../proto/api.ts';
import { TrafficPolicy } from '../../proto/policy/schema.ts';
import type { PolicyService } from '../service/policy-service.ts';
import { sendProblem, sendRefusal } from './problem.ts';
import {
  documentOf,
  InNamespace,
  isKnown,
  Named,
  Nothing,
  pageOf,
  policyKey,
  sendVersioned,
  type Watch,
  WatchableQuery,
  WriteQuery,
  writeOptions,
} from './request-parts.ts';

export interface PolicyRoutesOptions {
  readonly policies: PolicyService;
  /** Who is writing, for the audit. */
  readonly by: (request: FastifyRequest) => string;
  readonly watch: Watch;
}

const one = '/v1/namespaces/:namespace/policies/:name';
const versionOf = ({ metadata }: TrafficPolicy): string => metadata.resourceVersion ?? '';

export function policyRoutes(app: FastifyInstance, { policies, by, watch }: PolicyRoutesOptions): void {
  app.get<{ Querystring: WatchableQuery }>(
    '/v1/policies',
    { schema: { summary: 'List policies, or watch them', querystring: WatchableQuery, response: { 200: PolicyList } } },
    async (request, reply) => {
      if (!isKnown(policies, reply)) return reply;
      if (request.query.watch) return watch(request, reply, request.query.namespace);
      return reply.send(pageOf(policies.list(request.query.namespace), policyKey, request.query));
    },
  );

  app.post<{ Params: InNamespace; Querystring: WriteQuery }>(
    '/v1/namespaces/:namespace/policies',
    {
      schema: {
        summary: 'Create a policy',
        params: InNamespace,
        querystring: WriteQuery,
        response: { 200: TrafficPolicy, 201: TrafficPolicy },
      },
      config: { describedBody: TrafficPolicy },
    },
    async (request, reply) => {
      const document = documentOf(request.body, reply);
      if (document === undefined && reply.sent) return reply;
      const { namespace } = request.params;
      const options = writeOptions(by(request), namespace, request.query);
      const outcome = await policies.create(document, options);
      if (outcome.kind !== 'ok') return sendRefusal(reply, outcome);
      const { policy } = outcome;
      if (options.dryRun) return reply.code(200).send(policy);
      reply.header('location', `/v1/namespaces/${namespace}/policies/${policy.metadata.name}`);
      return sendVersioned(request, reply, versionOf(policy), policy, 201);
    },
  );

  app.get<{ Params: Named }>(
    one,
    { schema: { summary: 'Read a policy', params: Named, querystring: Nothing, response: { 200: TrafficPolicy } } },
    async (request, reply) => {
      if (!isKnown(policies, reply)) return reply;
      const { namespace, name } = request.params;
      const policy = policies.get(namespace, name);
      if (!policy) return sendProblem(reply, 'not-found', { detail: `there is no policy ${namespace}/${name}` });
      return sendVersioned(request, reply, versionOf(policy), policy);
    },
  );

  app.put<{ Params: Named; Querystring: WriteQuery }>(
    one,
    {
      schema: {
        summary: 'Replace a policy; needs If-Match',
        params: Named,
        querystring: WriteQuery,
        response: { 200: TrafficPolicy },
      },
      config: { describedBody: TrafficPolicy },
    },
    async (request, reply) => {
      const document = documentOf(request.body, reply);
      if (document === undefined && reply.sent) return reply;
      const { namespace, name } = request.params;
      const options = writeOptions(by(request), namespace, request.query);
      const outcome = await policies.replace(document, name, request.headers['if-match'], options);
      if (outcome.kind !== 'ok') return sendRefusal(reply, outcome);
      const { policy } = outcome;
      return options.dryRun ? reply.code(200).send(policy) : sendVersioned(request, reply, versionOf(policy), policy);
    },
  );

  app.delete<{ Params: Named; Querystring: WriteQuery }>(
    one,
    {
      schema: {
        summary: 'Delete a policy; needs If-Match',
        params: Named,
        querystring: WriteQuery,
        response: { 200: TrafficPolicy },
      },
    },
    async (request, reply) => {
      const { namespace, name } = request.params;
      const options = writeOptions(by(request), namespace, request.query);
      const outcome = await policies.remove(name, request.headers['if-match'], options);
      return outcome.kind === 'ok' ? reply.code(200).send(outcome.policy) : sendRefusal(reply, outcome);
    },
  );
}
