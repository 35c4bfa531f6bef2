/** The fleet's breakers over REST: how each stands and why; forcing one, which is an operator's. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import {
  type BreakerDetail,
  BreakerList,
  BreakerDetail as Detail,
  BreakerForce as ForceRequest,
} from '../../proto/api-breaker.ts';
import { noEvidence } from '../../proto/fleet-blanks.ts';
import type { FleetBreakerReading } from '../coordination/breaker-coordinator.ts';
import { breakerStateName } from '../fleet/breaker-names.ts';
import type { BreakerForce } from '../service/breaker-force.ts';
import type { BreakerService } from '../service/breaker-service.ts';
import { sendProblem, sendRefusal } from './problem.ts';
import { Named, NamespacedPageQuery, Nothing, pageOf } from './request-parts.ts';

export interface BreakerRoutesOptions {
  readonly breakers: BreakerService;
  readonly force: BreakerForce;
  readonly by: (request: FastifyRequest) => string;
}

const one = '/v1/namespaces/:namespace/services/:name/breaker';

export function breakerRoutes(app: FastifyInstance, { breakers, force, by }: BreakerRoutesOptions): void {
  const detail = (reading: FleetBreakerReading): BreakerDetail => detailOf(reading, breakers.ageMs(reading));

  app.get<{ Querystring: NamespacedPageQuery }>(
    '/v1/breakers',
    {
      schema: {
        summary: 'The breakers of the fleet',
        querystring: NamespacedPageQuery,
        response: { 200: BreakerList },
      },
    },
    async (request, reply) => {
      const { namespace } = request.query;
      const all = breakers
        .readings()
        .filter(({ target }) => namespace === undefined || target.startsWith(`${namespace}/`))
        .map(detail)
        .sort((a, b) => (a.target < b.target ? -1 : 1));
      return reply.send(pageOf(all, ({ target }) => target, request.query));
    },
  );

  app.get<{ Params: Named }>(
    one,
    {
      schema: { summary: 'The breaker of one service', params: Named, querystring: Nothing, response: { 200: Detail } },
    },
    async ({ params }, reply) => {
      const target = targetOf(params);
      const reading = breakers.reading(target);
      if (!reading) return sendProblem(reply, 'not-found', { detail: `nobody has called ${target} lately` });
      return reply.header('cache-control', 'no-store').send(detail(reading));
    },
  );

  app.put<{ Params: Named; Body: ForceRequest }>(
    one,
    {
      config: { role: 'operator' },
      schema: {
        summary: 'Force it open or closed, for a time and with a reason',
        params: Named,
        querystring: Nothing,
        body: ForceRequest,
        response: { 200: Detail },
      },
    },
    async (request, reply) => {
      const outcome = await force.force(targetOf(request.params), request.body, by(request));
      return outcome.kind === 'ok' ? reply.send(detail(outcome.reading)) : sendRefusal(reply, outcome);
    },
  );

  app.delete<{ Params: Named }>(
    one,
    {
      config: { role: 'operator' },
      schema: {
        summary: 'End what was forced; a breaker that was forced open proves itself by probes',
        params: Named,
        querystring: Nothing,
        response: { 200: Detail },
      },
    },
    async (request, reply) => {
      const outcome = await force.reset(targetOf(request.params), by(request));
      return outcome.kind === 'ok' ? reply.send(detail(outcome.reading)) : sendRefusal(reply, outcome);
    },
  );
}

const targetOf = ({ namespace, name }: Named): string => `${namespace}/${name}`;

function detailOf(reading: FleetBreakerReading, ageMs: number): BreakerDetail {
  const { target, zone, state, generation, epoch, openedAtWallMs, coolMs, suspects, ejected, expiresInMs } = reading;
  const { text, worst, ...evidence } = reading.evidence ?? noEvidence;
  return {
    target,
    zone,
    state: breakerStateName(state),
    generation,
    epoch,
    openedAt: openedAtWallMs ? new Date(openedAtWallMs).toISOString() : null,
    ageMs,
    coolMs,
    evidence: text,
    ...evidence,
    worst: [...worst],
    expiresInMs,
    suspects: [...suspects],
    ejected: [...ejected],
  };
}
