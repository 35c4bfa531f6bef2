/** When calls to a failing service are stopped, and how they begin again. */
import { type Static, Type } from 'typebox';
import { duration, oneOf, strict } from './schema-parts.ts';

/** What conditions on a share of calls have in common; `bad` says what the share is of. */
const share = (bad: string, minRequests: number) => ({
  percent: Type.Optional(
    Type.Integer({ description: `${bad} of 100 requests that open it.`, minimum: 1, maximum: 100, default: 50 }),
  ),
  minRequests: Type.Optional(
    Type.Integer({
      description: 'Requests in the window below which nothing is decided; not above windowRequests.',
      minimum: 1,
      maximum: 100_000,
      default: minRequests,
    }),
  ),
  window: Type.Optional(
    duration({
      min: '100ms',
      max: '1m',
      default: '2s',
      description: 'How far back requests count. Instead of windowRequests.',
    }),
  ),
  windowRequests: Type.Optional(
    Type.Integer({
      description:
        'The last so many requests count, however old they are: for services that are seldom called. Instead of window.',
      minimum: 1,
      maximum: 1000,
    }),
  ),
});

export const FailureRatioSpec = Type.Object(share('Failures', 20), {
  ...strict,
  description: 'Opens on a share of failures over a sliding window.',
});
export type FailureRatioSpec = Static<typeof FailureRatioSpec>;

export const SlowCallsSpec = Type.Object(
  {
    slowerThan: Type.Optional(
      duration({
        min: '1ms',
        max: '1h',
        description:
          'A request is slow when its answer begins this long after it was sent, or later, successful or not; default: half of ' +
          'outbound.timeout, or 1s where there is none, but no longer than perTryTimeout.',
      }),
    ),
    ...share('Slow requests', 10),
  },
  {
    ...strict,
    description:
      'Opens on a share of slow requests over a sliding window; slow probes fail, too. A request that is under way for so ' +
      'long counts without waiting for its answer.',
  },
);
export type SlowCallsSpec = Static<typeof SlowCallsSpec>;

export const CircuitBreakerSpec = Type.Object(
  {
    scope: Type.Optional(
      oneOf(['perService', 'perEndpoint'], {
        default: 'perService',
        description:
          'perService: one breaker for all endpoints, or for a route where it stands in one. perEndpoint: one for each; ' +
          'requests go to endpoints whose breaker is closed, and are refused when there is none. Not in a route.',
      }),
    ),
    consecutiveFailures: Type.Optional(
      Type.Integer({ description: 'Opens after this many failures in a row.', minimum: 1, maximum: 10_000 }),
    ),
    failureRatio: Type.Optional(FailureRatioSpec),
    slowCalls: Type.Optional(SlowCallsSpec),
    openFor: Type.Optional(
      duration({
        min: '10ms',
        max: '10m',
        default: '1s',
        description: 'First time spent open; doubles with every failed round of probes.',
      }),
    ),
    openForMax: Type.Optional(
      duration({
        min: '10ms',
        max: '1h',
        default: '2s',
        description:
          'Longest time spent open before it is tried again; at least openFor. Up to this much of the time after a ' +
          'recovery is lost.',
      }),
    ),
    halfOpen: Type.Optional(
      Type.Object(
        {
          probes: Type.Optional(
            Type.Integer({
              description:
                'Requests let through at once to try; all must succeed to close the breaker. One that is not answered within ' +
                'outbound.timeout (10s where there is none) has failed.',
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
            Type.Boolean({
              description:
                'Whether callers open and close together; not with perEndpoint. With at least three callers, 60 % of ' +
                'them seeing half of their requests fail open it for all; then five requests a round, of all callers ' +
                'together, try it, and traffic returns in steps. While no control plane can be heard it stays open and ' +
                'is tried once a second at most; after 30 to 60 s each caller goes by its own breaker.',
              default: true,
            }),
          ),
        },
        { ...strict, description: 'Coordination of this breaker across the callers of the service.' },
      ),
    ),
  },
  {
    ...strict,
    description:
      'Stops calls to a failing service. Opens on any condition that is named; when none is, on 5 failures in a row, ' +
      'on a failure ratio of 50 % or, with outbound.timeout, on 50 % of slow requests. What Weir refuses itself never counts.',
  },
);
export type CircuitBreakerSpec = Static<typeof CircuitBreakerSpec>;
