/** When calls to a failing service are stopped, and how they begin again. */
import { type Static, Type } from 'typebox';
import { duration, strict } from './schema-parts.ts';

export const FailureRatioSpec = Type.Object(
  {
    percent: Type.Optional(
      Type.Integer({ description: 'Failures of 100 requests that open it.', minimum: 1, maximum: 100, default: 50 }),
    ),
    minRequests: Type.Optional(
      Type.Integer({
        description: 'Requests in the window below which nothing is decided.',
        minimum: 1,
        maximum: 100_000,
        default: 20,
      }),
    ),
    window: Type.Optional(
      duration({ min: '100ms', max: '1m', default: '2s', description: 'How far back requests count.' }),
    ),
  },
  { ...strict, description: 'Opens on a share of failures over a sliding window.' },
);
export type FailureRatioSpec = Static<typeof FailureRatioSpec>;

export const CircuitBreakerSpec = Type.Object(
  {
    consecutiveFailures: Type.Optional(
      Type.Integer({ description: 'Opens after this many failures in a row.', minimum: 1, maximum: 10_000 }),
    ),
    failureRatio: Type.Optional(FailureRatioSpec),
    openFor: Type.Optional(
      duration({
        min: '10ms',
        max: '10m',
        default: '1s',
        description: 'First time spent open; doubles with every failed round of probes.',
      }),
    ),
    openForMax: Type.Optional(
      duration({ min: '10ms', max: '1h', default: '15s', description: 'Longest time spent open; at least openFor.' }),
    ),
    halfOpen: Type.Optional(
      Type.Object(
        {
          probes: Type.Optional(
            Type.Integer({
              description: 'Probes at once; all must succeed to close the breaker.',
              minimum: 1,
              maximum: 100,
              default: 3,
            }),
          ),
        },
        { ...strict, description: 'How recovery is tried.' },
      ),
    ),
    fleet: Type.Optional(
      Type.Object(
        {
          enabled: Type.Optional(
            Type.Boolean({ description: 'Whether callers open and close together.', default: true }),
          ),
        },
        { ...strict, description: 'Coordination of this breaker across the callers of the service.' },
      ),
    ),
  },
  {
    ...strict,
    description:
      'Stops calls to a failing service. Opens on any condition that is named; when none is, on 5 failures in a row ' +
      'or on a failure ratio of 50 %.',
  },
);
export type CircuitBreakerSpec = Static<typeof CircuitBreakerSpec>;
