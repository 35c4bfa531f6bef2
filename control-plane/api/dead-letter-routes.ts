/** Dead letters over REST. What they contain may be private: their bodies are for who shows the token, not for a session. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { DeadLetterCounts, DeadLetterDetail, DeadLetterList, RedriveList, RedriveView } from '../../proto/api.ts';
import { BusError } from '../service/bus.ts';
import { type DeadLetters, pageMax } from '../service/dead-letters.ts';
import { type Redrives, redriveRateMax } from '../service/redrives.ts';
import { sendProblem } from './problem.ts';
import { Named, Nothing, strict } from './request-parts.ts';

const ServiceKey = Type.String({
  pattern: '^[a-z0-9-]{1,63}/[a-z0-9-]{1,63}$',
  maxLength: 127,
  description: 'Of this service, <namespace>/<name>; default: of all.',
});
const PageQuery = Type.Object(
  {
    service: Type.Optional(ServiceKey),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: pageMax, default: pageMax })),
    continue: Type.Optional(
      Type.String({ pattern: '^[0-9]{1,16}$', maxLength: 16, description: 'Of the page before.' }),
    ),
  },
  strict,
);
const AllOf = Type.Object({ service: ServiceKey }, strict);
const Letter = Type.Object({ sequence: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }) }, strict);
const RedriveQuery = Type.Object(
  {
    rate: Type.Optional(
      Type.Number({ minimum: 0.1, maximum: redriveRateMax, default: 10, description: 'Letters a second.' }),
    ),
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1_000_000, default: 1_000_000, description: 'At most so many.' }),
    ),
  },
  strict,
);
const Discarded = Type.Object({ discarded: Type.Integer() });

export interface DeadLetterRoutesOptions {
  readonly letters: DeadLetters;
  readonly redrives: Redrives;
  /** Who is asking, for the audit. */
  readonly by: (request: FastifyRequest) => string;
}

const all = '/v1/dead-letters';
const one = '/v1/dead-letters/:sequence';
const redriveOf = '/v1/redrives/:namespace/:name';

export function deadLetterRoutes(app: FastifyInstance, { letters, redrives, by }: DeadLetterRoutesOptions): void {
  app.get<{ Querystring: Static<typeof PageQuery> }>(
    all,
    {
      schema: {
        summary: 'List dead letters, the oldest first',
        querystring: PageQuery,
        response: { 200: DeadLetterList },
      },
    },
    (request, reply) =>
      answer(reply, async () => {
        const { service, limit = pageMax, continue: from = '1' } = request.query;
        const { items, next } = await letters.list(service, Number(from), limit);
        return reply.send({ items, ...(next === undefined ? {} : { continue: String(next) }) });
      }),
  );

  app.get(
    '/v1/dead-letter-counts',
    { schema: { summary: 'Dead letters by service', querystring: Nothing, response: { 200: DeadLetterCounts } } },
    (_, reply) => answer(reply, async () => reply.send({ services: await letters.counts() })),
  );

  app.get<{ Params: Static<typeof Letter> }>(
    one,
    {
      config: { role: 'operator' },
      schema: {
        summary: 'A dead letter with its headers and the first 64 KiB of its body; needs the token',
        params: Letter,
        querystring: Nothing,
        response: { 200: DeadLetterDetail },
      },
    },
    (request, reply) =>
      answer(reply, async () => {
        if (request.headers.cookie !== undefined && request.headers.authorization === undefined) {
          return sendProblem(reply, 'forbidden', { detail: 'a session sees no bodies: send the token' });
        }
        const letter = await letters.show(request.params.sequence);
        return letter === undefined ? absent(reply, request.params.sequence) : reply.send(letter);
      }),
  );

  app.delete<{ Params: Static<typeof Letter> }>(
    one,
    {
      schema: {
        summary: 'Throw a dead letter away',
        params: Letter,
        querystring: Nothing,
        response: { 200: Discarded },
      },
    },
    (request, reply) =>
      answer(reply, async () => {
        const { sequence } = request.params;
        return (await letters.discard(sequence, by(request))) ? reply.send({ discarded: 1 }) : absent(reply, sequence);
      }),
  );

  app.delete<{ Querystring: Static<typeof AllOf> }>(
    all,
    {
      schema: {
        summary: 'Throw all dead letters of a service away',
        querystring: AllOf,
        response: { 200: Discarded },
      },
    },
    (request, reply) =>
      answer(reply, async () =>
        reply.send({ discarded: await letters.discardAll(request.query.service, by(request)) }),
      ),
  );

  app.post<{ Params: Static<typeof Letter> }>(
    `${one}/redrive`,
    {
      config: { role: 'operator' },
      schema: { summary: 'Send a dead letter again', params: Letter, querystring: Nothing },
    },
    (request, reply) =>
      answer(reply, async () => {
        const { sequence } = request.params;
        return (await letters.redrive(sequence)) ? reply.code(204).send() : absent(reply, sequence);
      }),
  );

  app.get(
    '/v1/redrives',
    { schema: { summary: 'What is being sent again', querystring: Nothing, response: { 200: RedriveList } } },
    async (_, reply) => reply.send({ items: redrives.list() }),
  );

  app.post<{ Params: Named; Querystring: Static<typeof RedriveQuery> }>(
    redriveOf,
    {
      config: { role: 'operator' },
      schema: {
        summary: 'Send all dead letters of a service again, at a rate',
        params: Named,
        querystring: RedriveQuery,
        response: { 202: RedriveView },
      },
    },
    (request, reply) =>
      answer(reply, async () => {
        const { rate: ratePerSecond = 10, limit = 1_000_000 } = request.query;
        const target = targetOf(request.params);
        const redrive = await redrives.start({ target, ratePerSecond, limit, by: by(request) });
        if (redrive !== undefined) return reply.code(202).send(redrive);
        return sendProblem(reply, 'conflict', { detail: `${target} is being redriven, or too many services are` });
      }),
  );

  app.get<{ Params: Named }>(
    redriveOf,
    { schema: { summary: 'How far it is', params: Named, querystring: Nothing, response: { 200: RedriveView } } },
    async (request, reply) => sendRedrive(reply, request.params, redrives.get(targetOf(request.params))),
  );

  app.delete<{ Params: Named }>(
    redriveOf,
    {
      config: { role: 'operator' },
      schema: { summary: 'Stop it', params: Named, querystring: Nothing, response: { 200: RedriveView } },
    },
    async (request, reply) => sendRedrive(reply, request.params, redrives.stop(targetOf(request.params))),
  );
}

const targetOf = ({ namespace, name }: Named): string => `${namespace}/${name}`;

function sendRedrive(reply: FastifyReply, params: Named, redrive: RedriveView | undefined): FastifyReply {
  if (redrive !== undefined) return reply.send(redrive);
  return sendProblem(reply, 'not-found', { detail: `nothing of ${targetOf(params)} is being redriven here` });
}

function absent(reply: FastifyReply, sequence: number): FastifyReply {
  return sendProblem(reply, 'not-found', { detail: `there is no dead letter ${sequence}` });
}

/** The streams may be full, or away. */
async function answer(reply: FastifyReply, act: () => Promise<FastifyReply>): Promise<FastifyReply> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof BusError)) throw error;
    return sendProblem(reply, error.code === 'full' ? 'full' : 'unavailable', { detail: error.message });
  }
}
