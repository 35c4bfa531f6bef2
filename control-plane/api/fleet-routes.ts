/** What the mesh is doing: instances, services, and the stream of snapshots; also the probes and the version. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { InstanceList, ScalingView, ServiceList, VersionView } from '../../proto/api.ts';
import { serviceKey } from '../../proto/subjects.ts';
import { targetConcurrencyMax, targetConcurrencyMin } from '../fleet/demand.ts';
import type { FleetService } from '../service/fleet-service.ts';
import type { EventStream } from './event-stream.ts';
import { sendProblem } from './problem.ts';
import { Named, NamespacedPageQuery, Nothing, type PageQuery, pageOf, strict } from './request-parts.ts';

const ScalingQuery = Type.Object(
  {
    targetConcurrency: Type.Optional(
      Type.Number({
        minimum: targetConcurrencyMin,
        maximum: targetConcurrencyMax,
        description: 'Requests at once that an instance is to have; default: 0.7 of its limit, 10 without one.',
      }),
    ),
  },
  strict,
);
const Status = Type.Object({ status: Type.String() });

export interface FleetRoutesOptions {
  readonly fleet: FleetService;
  readonly events: EventStream;
  /** Whether who asked may still hear what follows. */
  readonly mayListen: (request: FastifyRequest) => boolean;
  readonly isReady: () => boolean;
  readonly isConnected: () => boolean;
  readonly version: string;
  readonly id: string;
}

export function fleetRoutes(app: FastifyInstance, options: FleetRoutesOptions): void {
  const { fleet, events, mayListen, isReady, isConnected, version, id } = options;
  const open = { access: 'open' } as const;

  app.get('/healthz', { config: open, schema: { summary: 'Alive', response: { 200: Status } } }, async () => ({
    status: 'ok',
  }));

  app.get(
    '/readyz',
    { config: open, schema: { summary: 'Policies are known', response: { 200: Status } } },
    async (_, reply) =>
      isReady() ? { status: 'ok' } : sendProblem(reply, 'unavailable', { detail: 'the policies are not known yet' }),
  );

  app.get(
    '/v1/version',
    { schema: { summary: 'Who answers', querystring: Nothing, response: { 200: VersionView } } },
    async () => ({
      name: 'weir',
      version,
      id,
    }),
  );

  app.get<{ Querystring: NamespacedPageQuery }>(
    '/v1/instances',
    { schema: { summary: 'Every sidecar', querystring: NamespacedPageQuery, response: { 200: InstanceList } } },
    async (request, reply) => {
      if (!isConnected()) reply.header('weir-stale', 'true');
      const all = fleet.instances().filter(isIn(request.query.namespace));
      return reply.send(pageOf(inOrder(all, instanceKey, request.query), instanceKey, request.query));
    },
  );

  app.get<{ Querystring: NamespacedPageQuery }>(
    '/v1/services',
    {
      schema: {
        summary: 'Every service, worst first; in pages, by name',
        querystring: NamespacedPageQuery,
        response: { 200: ServiceList },
      },
    },
    async (request, reply) => {
      if (!isConnected()) reply.header('weir-stale', 'true');
      const all = fleet.services().filter(isIn(request.query.namespace));
      return reply.send(pageOf(inOrder(all, serviceKeyOf, request.query), serviceKeyOf, request.query));
    },
  );

  app.get<{ Params: Named; Querystring: Static<typeof ScalingQuery> }>(
    '/v1/namespaces/:namespace/services/:name/scaling',
    {
      schema: {
        summary: 'How many instances a service wants, and why',
        params: Named,
        querystring: ScalingQuery,
        response: { 200: ScalingView },
      },
    },
    async ({ params: { namespace, name }, query }, reply) =>
      reply
        .header('cache-control', 'no-store')
        .send(fleet.scaling(serviceKey({ namespace, service: name }), query.targetConcurrency)),
  );

  app.get(
    '/v1/events',
    {
      schema: {
        summary: 'Server-sent events: fleet (FleetSnapshot) every second and on change, ping',
        querystring: Nothing,
      },
    },
    (request, reply) => {
      if (events.isFull()) return sendProblem(reply, 'unavailable', { detail: 'too many watch already' });
      reply.hijack();
      events.add(reply.raw, () => mayListen(request));
      return reply;
    },
  );
}

interface InNamespace {
  readonly namespace: string;
  readonly service: string;
}

const isIn = (namespace: string | undefined) => (one: InNamespace) =>
  namespace === undefined || one.namespace === namespace;
const serviceKeyOf = ({ namespace, service }: InNamespace): string => `${namespace}/${service}`;
const instanceKey = (one: InNamespace & { readonly instance: string }): string =>
  `${serviceKeyOf(one)}/${one.instance}`;

/** What is worst changes while somebody turns the pages; names do not. */
function inOrder<T>(all: readonly T[], nameOf: (one: T) => string, { limit, continue: after }: PageQuery): T[] {
  if (limit === undefined && after === undefined) return [...all];
  return [...all].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}
