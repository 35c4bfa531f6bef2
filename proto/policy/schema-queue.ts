/** Where requests wait that the concurrency limit keeps out, in which order, and who goes when there is no room. */
import { type Static, Type } from 'typebox';
import { duration, oneOf, size, strict } from './schema-parts.ts';

export const TenantFairSpec = Type.Object(
  {
    enabled: Type.Optional(Type.Boolean({ description: 'With discipline: fifo, false.', default: true })),
    tenantsMax: Type.Optional(
      Type.Integer({
        description: 'Tenants told apart while they wait; those beyond share one turn with requests that name none.',
        minimum: 1,
        maximum: 100_000,
        default: 1000,
      }),
    ),
    weights: Type.Optional(
      Type.Array(
        Type.Object(
          {
            name: Type.String({ description: 'Name of the tenant.', minLength: 1, maxLength: 256 }),
            weight: Type.Integer({ description: 'Requests in a turn of this tenant.', minimum: 1, maximum: 100 }),
          },
          { ...strict, description: 'One tenant with more than the weight of 1 that all others have.' },
        ),
        { maxItems: 64, description: 'Tenants that get more requests in their turn than others.' },
      ),
    ),
  },
  {
    ...strict,
    description:
      'Deficit round robin: within a tier the tenants that wait take turns, however much each of them sends.',
  },
);

export const CodelSpec = Type.Object(
  {
    enabled: Type.Optional(Type.Boolean({ description: 'With discipline: fifo, false.', default: true })),
    target: Type.Optional(
      duration({
        min: '1ms',
        max: '10s',
        default: '5ms',
        description: 'Longest wait in a standing queue, or twice the service time where that is more.',
      }),
    ),
    interval: Type.Optional(
      duration({
        min: '10ms',
        max: '10s',
        default: '100ms',
        description:
          'A queue that was not empty for so long is a standing one: requests come faster than they are served.',
      }),
    ),
  },
  {
    ...strict,
    description: 'Ends long waits while there is too much, and leaves bursts alone. What it refuses is queue_shed.',
  },
);

export const QueueSpec = Type.Object(
  {
    requestsMax: Type.Optional(
      Type.Integer({ description: 'Requests that may wait.', minimum: 1, maximum: 100_000, default: 100 }),
    ),
    bytesMax: Type.Optional(
      size({ min: '1KiB', max: '1GiB', default: '1MiB', description: 'Bytes that waiting requests may hold.' }),
    ),
    waitMax: Type.Optional(
      duration({
        min: '1ms',
        max: '1m',
        default: '200ms',
        description: 'Longest wait; after it a request is refused (queue_timeout).',
      }),
    ),
    discipline: Type.Optional(
      oneOf(['full', 'fifo', 'none'], {
        default: 'full',
        description:
          'What the settings below are unless they say otherwise. full: all of them on. fifo: all of them off, first come first served. none: no queue; what exceeds the limit is refused at once.',
      }),
    ),
    priority: Type.Optional(
      Type.Boolean({
        description: 'Requests of a more important tier go first. With discipline: fifo, false.',
        default: true,
      }),
    ),
    tenantFair: Type.Optional(TenantFairSpec),
    codel: Type.Optional(CodelSpec),
    adaptiveLifo: Type.Optional(
      Type.Boolean({
        description:
          'In a standing queue the newest go first: they can still be answered in time. With discipline: fifo, false.',
        default: true,
      }),
    ),
    deadlineMargin: Type.Optional(
      Type.Boolean({
        description:
          'Refuses what would have to wait and has less time left than a request usually takes (deadline_unreachable). With discipline: fifo, false.',
        default: true,
      }),
    ),
    whenFull: Type.Optional(
      oneOf(['lowestPriority', 'newest', 'oldest', 'random'], {
        default: 'lowestPriority',
        description:
          'Who goes when there is no room. newest: the newcomer (queue_full). oldest: who has waited longest. random: one picked by chance. lowestPriority: one of the least important tier, of the tenant that has most waiting there, unless the newcomer matters less. Those that go are evicted. With discipline: fifo, newest.',
      }),
    ),
  },
  {
    ...strict,
    description:
      'Where requests above the concurrency limit wait. Requests may be refused, each with its reason; none is lost in silence.',
  },
);
export type QueueSpec = Static<typeof QueueSpec>;
