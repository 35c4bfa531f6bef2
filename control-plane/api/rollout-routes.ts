/** Staged rollouts over REST: one of a policy at a time, and what can be done to it. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { RolloutList, RolloutRequest, RolloutView } from '../../proto/api-rollout.ts';
import type { PolicyService } from '../service/policy-service.ts';
import type { RolloutAction, RolloutService } from '../service/rollout-service.ts';
import { sendProblem, sendRefusal } from './problem.ts';
import {
  isKnown,
  Named,
  Nothing,
  pageOf,
  sendVersioned,
  type Watch,
  WatchableQuery,
  WriteQuery,
  writeOptions,
} from './request-parts.ts';

export interface RolloutRoutesOptions {
  readonly rollouts: RolloutService;
  readonly policies: PolicyService;
  readonly by: (request: FastifyRequest) => string;
  readonly watch: Watch;
}

const one = '/v1/namespaces/:namespace/policies/:name/rollout';
const actions: readonly (readonly [RolloutAction, string])[] = [
  ['pause', 'Stay at this stage; needs If-Match of the rollout'],
  ['resume', 'Go on; needs If-Match of the rollout'],
  ['promote', 'Make the candidate the policy now; needs If-Match of the rollout'],
  ['abort', 'Take the candidate back; needs If-Match of the rollout'],
];

export function rolloutRoutes(app: FastifyInstance, { rollouts, policies, by, watch }: RolloutRoutesOptions): void {
  app.get<{ Querystring: WatchableQuery }>(
    '/v1/rollouts',
    {
      schema: {
        summary: 'The newest rollout of each policy, or watch them',
        querystring: WatchableQuery,
        response: { 200: RolloutList },
      },
    },
    async (request, reply) => {
      if (!isKnown(policies, reply)) return reply;
      if (request.query.watch) return watch(request, reply, request.query.namespace);
      const all = rollouts.list(request.query.namespace);
      return reply.send(pageOf(all, ({ namespace, name }) => `${namespace}/${name}`, request.query));
    },
  );

  app.get<{ Params: Named }>(
    one,
    {
      schema: {
        summary: 'The newest rollout of a policy',
        params: Named,
        querystring: Nothing,
        response: { 200: RolloutView },
      },
    },
    async (request, reply) => {
      if (!isKnown(policies, reply)) return reply;
      const { namespace, name } = request.params;
      const rollout = rollouts.get(namespace, name);
      if (!rollout) return sendProblem(reply, 'not-found', { detail: `there is no rollout of ${namespace}/${name}` });
      // What it sees changes all the time: the tag is for If-Match only.
      return reply.header('etag', `"${rollout.resourceVersion}"`).header('cache-control', 'no-store').send(rollout);
    },
  );

  app.post<{ Params: Named; Querystring: WriteQuery }>(
    one,
    {
      schema: {
        summary: 'Begin a staged rollout; needs If-Match of the policy, if there is one',
        params: Named,
        querystring: WriteQuery,
        response: { 200: RolloutView, 201: RolloutView },
      },
      config: { describedBody: RolloutRequest },
    },
    async (request, reply) => {
      const { namespace, name } = request.params;
      const options = writeOptions(by(request), namespace, request.query);
      const outcome = await rollouts.start(name, request.body, request.headers['if-match'], options);
      if (outcome.kind !== 'ok') return sendRefusal(reply, outcome);
      const { rollout } = outcome;
      if (options.dryRun) return reply.send(rollout);
      return sendVersioned(request, reply, rollout.resourceVersion, rollout, 201);
    },
  );

  for (const [action, summary] of actions) {
    app.post<{ Params: Named; Querystring: WriteQuery }>(
      `${one}/${action}`,
      {
        config: { role: action === 'promote' ? 'editor' : 'operator' },
        schema: { summary, params: Named, querystring: WriteQuery, response: { 200: RolloutView } },
      },
      async (request, reply) => {
        const { namespace, name } = request.params;
        const options = writeOptions(by(request), namespace, request.query);
        const outcome = await rollouts.act(action, name, request.headers['if-match'], options);
        if (outcome.kind !== 'ok') return sendRefusal(reply, outcome);
        const { rollout } = outcome;
        if (options.dryRun) return reply.send(rollout);
        return sendVersioned(request, reply, rollout.resourceVersion, rollout);
      },
    );
  }
}
