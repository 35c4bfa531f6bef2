/** How requests are spread over the endpoints of the service, and which endpoints are left out. */
import { type Static, Type } from 'typebox';
import { duration, marker, oneMember, strict } from './schema-parts.ts';

export const SlowStartSpec = Type.Object(
  {
    window: Type.Optional(
      duration({ min: '1s', max: '15m', default: '10s', description: 'Until an endpoint gets its full share.' }),
    ),
    aggression: Type.Optional(
      Type.Number({
        description:
          'The share grows as (age / window) ^ (1 / aggression), from a tenth on: above 1 sooner, below later.',
        minimum: 0.1,
        maximum: 10,
        default: 1,
      }),
    ),
  },
  { ...strict, description: 'An endpoint that is new, or back, gets its share of requests little by little.' },
);
export type SlowStartSpec = Static<typeof SlowStartSpec>;

export const BalancerSpec = Type.Object(
  {
    roundRobin: Type.Optional(marker('One endpoint after the other.')),
    leastRequest: Type.Optional(marker('Of two at random the one with fewer requests in flight.')),
    p2cPeakEwma: Type.Optional(
      marker('Of two at random the one where requests in flight times the time to answer is less. The default.'),
    ),
    orcaWeighted: Type.Optional(
      Type.Object(
        {
          blackout: Type.Optional(
            duration({
              min: '0s',
              max: '10m',
              default: '10s',
              description: 'Reports must have come for this long before they weigh.',
            }),
          ),
          expiry: Type.Optional(
            duration({ min: '1s', max: '1h', default: '3m', description: 'A report older than this weighs nothing.' }),
          ),
          errorPenalty: Type.Optional(
            Type.Number({
              description: 'How much load a share of failures of 1 counts for.',
              minimum: 0,
              maximum: 100,
              default: 1,
            }),
          ),
        },
        {
          ...strict,
          description:
            'In turn, by weight = qps / (utilization + eps / qps · errorPenalty) from the load that servers report beside ' +
            'their answers (ORCA); until they do, like roundRobin.',
        },
      ),
    ),
    prequal: Type.Optional(
      Type.Object(
        {
          pool: Type.Optional(
            Type.Integer({
              description: 'Endpoints of which the last answers are remembered.',
              minimum: 2,
              maximum: 64,
              default: 16,
            }),
          ),
          hotQuantile: Type.Optional(
            Type.Number({
              description: 'Endpoints with more requests in flight than this quantile of all are not chosen for speed.',
              minimum: 0,
              maximum: 1,
              default: 0.84,
            }),
          ),
          maxAge: Type.Optional(
            duration({ min: '100ms', max: '1m', default: '1s', description: 'Older answers say nothing.' }),
          ),
        },
        { ...strict, description: 'The fastest of those that are not busy; for endpoints of very uneven capacity.' },
      ),
    ),
  },
  { ...oneMember, description: 'Who gets the next request.' },
);
export type BalancerSpec = Static<typeof BalancerSpec>;

export const LoadBalancingSpec = Type.Object(
  { algorithm: Type.Optional(BalancerSpec), slowStart: Type.Optional(SlowStartSpec) },
  {
    ...strict,
    description: 'How requests are spread over the endpoints. Of the service as a whole; in shadow it is the default.',
  },
);
export type LoadBalancingSpec = Static<typeof LoadBalancingSpec>;
