/** What the mesh is doing: instances, services, and the stream of snapshots; also the probes and the version. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { InstanceList, ServiceList, VersionView } from '../../proto/api.ts';
import type { FleetService } from '../service/fleet-service.ts';
import type { EventStream } from './event-stream.ts';
import { sendProblem } from './problem.ts';
import { NamespacedPageQuery, Nothing, type PageQuery, pageOf } from './request-parts.ts';

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
