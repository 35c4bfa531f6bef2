/** Which endpoints are left out because they fare worse than the others. */
import { type Static, Type } from 'typebox';
import { duration, strict } from './schema-parts.ts';

const comparison = (hostsLeast: number, hosts: number, requests: number) => ({
  minHosts: Type.Optional(
    Type.Integer({
      description: 'Endpoints with enough requests below which nothing is compared.',
      minimum: hostsLeast,
      maximum: 4096,
      default: hosts,
    }),
  ),
  minRequests: Type.Optional(
    Type.Integer({
      description: 'Requests of an endpoint in an interval below which it is left out of the comparison.',
      minimum: 1,
      maximum: 1_000_000,
      default: requests,
    }),
  ),
});

export const OutlierDetectionSpec = Type.Object(
  {
    consecutiveFailures: Type.Optional(
      Type.Integer({ description: 'Ejects after this many failures in a row.', minimum: 1, maximum: 10_000 }),
    ),
    successRate: Type.Optional(
      Type.Object(
        {
          stdevFactor: Type.Optional(
            Type.Number({
              description: 'Ejects whose share of successes is below mean - factor * standard deviation of all.',
              minimum: 0.1,
              maximum: 10,
              default: 1.9,
            }),
          ),
          ...comparison(3, 5, 100),
        },
        { ...strict, description: 'Compares the share of successes, once an interval.' },
      ),
    ),
    latency: Type.Optional(
      Type.Object(
        {
          factor: Type.Optional(
            Type.Number({
              description: 'Ejects whose mean time to answer is above factor * median of all.',
              minimum: 1.1,
              maximum: 100,
              default: 3,
            }),
          ),
          ...comparison(2, 3, 20),
        },
        { ...strict, description: 'Compares how long answers take, once an interval. Not a condition unless named.' },
      ),
    ),
    interval: Type.Optional(
      duration({ min: '100ms', max: '10m', default: '10s', description: 'From one comparison to the next.' }),
    ),
    baseEjectionTime: Type.Optional(
      duration({
        min: '100ms',
        max: '1h',
        default: '30s',
        description: 'How long an endpoint is left out, times how often it was of late.',
      }),
    ),
    maxEjectionTime: Type.Optional(
      duration({ min: '100ms', max: '24h', default: '5m', description: 'Longest time; at least baseEjectionTime.' }),
    ),
    maxEjectedPercent: Type.Optional(
      Type.Integer({
        description:
          'Of 100 endpoints that may be left out at once, the one in question included: at 30 none of three. One always ' +
          'stays.',
        minimum: 1,
        maximum: 99,
        default: 50,
      }),
    ),
  },
  {
    ...strict,
    description:
      'Leaves out endpoints that fare worse than the others; they come back by slow start. Ejects on any condition that is ' +
      'named; when none is, on 5 failures in a row or on the share of successes. In shadow, ejections are only counted. ' +
      'Each thread of a sidecar goes by what its own requests met.',
  },
);
export type OutlierDetectionSpec = Static<typeof OutlierDetectionSpec>;
