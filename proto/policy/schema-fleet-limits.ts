/** How the instances of a service share one rate limit. */
import { type Static, Type } from 'typebox';
import { duration, oneOf, strict } from './schema-parts.ts';

export const FleetShareSpec = Type.Object(
  {
    instancesMax: Type.Integer({
      description:
        'Instances of the service that ever run at once. Each of them may admit its part of the reserve without having ' +
        'asked anybody, so that more instances than that break the limit while they are not known.',
      minimum: 1,
      maximum: 10_000,
      examples: [20],
    }),
    allotment: Type.Optional(
      oneOf(['leases', 'chunks'], {
        default: 'leases',
        description:
          'leases: each instance gets a rate by its demand, new every 100 ms and good for 1 s. chunks: it gets so many ' +
          'requests at a time, taken from one bucket of the fleet and good for 1 s; what is not used is lost. Chunks hold ' +
          'the limit whatever fails, and admit nothing without the control plane.',
      }),
    ),
    withoutControlPlane: Type.Optional(
      oneOf(['safe', 'open', 'closed'], {
        default: 'safe',
        description:
          'What an instance admits when its lease has run out. safe: the lower of its last lease and rate / instancesMax ' +
          'for safeFor, then its part of the reserve. open: everything; counted as overshoot. closed: nothing. Default ' +
          'with chunks: closed.',
      }),
    ),
    safeFor: Type.Optional(
      duration({
        min: '10s',
        max: '24h',
        default: '15m',
        description:
          'How long an instance without the control plane keeps its safe rate. As long the rate of an instance that fell ' +
          'silent is given to nobody else, unless it said goodbye or came back as a new process.',
      }),
    ),
    reservePercent: Type.Optional(
      Type.Integer({
        description:
          'Part of the rate that is kept for instances that nobody knows yet, the same for each of instancesMax; those ' +
          'that are known hold theirs in their lease.',
        minimum: 1,
        maximum: 50,
        default: 5,
      }),
    ),
  },
  {
    ...strict,
    description:
      'How the limit is shared. All instances together admit at most rate·w + burst + instances·(highest cost) in any ' +
      'time w, as long as there are at most instancesMax and their clocks run equally fast.',
  },
);
export type FleetShareSpec = Static<typeof FleetShareSpec>;
