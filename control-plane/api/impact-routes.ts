/** What a policy would have done with the traffic that was recorded: asked before it is written. */
import type { FastifyInstance } from 'fastify';
import { ImpactView } from '../../proto/api-impact.ts';
import { TrafficPolicy } from '../../proto/policy/schema.ts';
import type { ImpactService } from '../service/impact-service.ts';
import { sendRefusal } from './problem.ts';
import { documentOf, Named, Nothing } from './request-parts.ts';

export function impactRoutes(app: FastifyInstance, impacts: ImpactService): void {
  app.post<{ Params: Named }>(
    '/v1/namespaces/:namespace/policies/:name/impact',
    {
      schema: {
        summary: 'What this policy would have done with the traffic of late; changes nothing',
        params: Named,
        querystring: Nothing,
        response: { 200: ImpactView },
      },
      config: { describedBody: TrafficPolicy, role: 'viewer' },
    },
    async (request, reply) => {
      const document = documentOf(request.body, reply);
      if (document === undefined && reply.sent) return reply;
      const { namespace, name } = request.params;
      const outcome = await impacts.impact(namespace, name, document);
      return outcome.kind === 'ok' ? reply.send(outcome.impact) : sendRefusal(reply, outcome);
    },
  );
}
