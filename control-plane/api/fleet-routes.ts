/** What the mesh is doing: instances, services, and the stream of snapshots; also the probes and the version. */
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { InstanceList, ServiceList, VersionView } from '../../proto/api.ts';
import type { FleetService } from '../service/fleet-service.ts';
import type { EventStream } from './event-stream.ts';
import { sendProblem } from './problem.ts';

const Nothing = Type.Object({}, { additionalProperties: false });
const Status = Type.Object({ status: Type.String() });

export interface FleetRoutesOptions {
  readonly fleet: FleetService;
  readonly events: EventStream;
  readonly isReady: () => boolean;
  readonly isConnected: () => boolean;
  readonly version: string;
  readonly id: string;
}

export function fleetRoutes(app: FastifyInstance, options: FleetRoutesOptions): void {
  const { fleet, events, isReady, isConnected, version, id } = options;
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

  app.get(
    '/v1/instances',
    { schema: { summary: 'Every sidecar', querystring: Nothing, response: { 200: InstanceList } } },
    async (_, reply) => {
      if (!isConnected()) reply.header('weir-stale', 'true');
      return reply.send({ items: fleet.instances() });
    },
  );

  app.get(
    '/v1/services',
    { schema: { summary: 'Every service, worst first', querystring: Nothing, response: { 200: ServiceList } } },
    async (_, reply) => {
      if (!isConnected()) reply.header('weir-stale', 'true');
      return reply.send({ items: fleet.services() });
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
    (_, reply) => {
      if (events.isFull()) return sendProblem(reply, 'unavailable', { detail: 'too many watch already' });
      reply.hijack();
      events.add(reply.raw);
      return reply;
    },
  );
}
