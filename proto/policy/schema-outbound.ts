/** The part of a policy that the sidecars of a service's callers obey. */
import { type Static, Type } from 'typebox';
import { duration, oneMember, oneOf, strict } from './schema-parts.ts';

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

export const HealthProbeSpec = Type.Object(
  {
    grpc: Type.Optional(
      Type.Object(
        {
          service: Type.Optional(
            Type.String({
              description: 'Whose health is asked for; default: that of the server as a whole.',
              pattern: '^[A-Za-z0-9._/-]*$',
              maxLength: 255,
            }),
          ),
        },
        { ...strict, description: 'grpc.health.v1.Health/Check; healthy is SERVING.' },
      ),
    ),
    http: Type.Optional(
      Type.Object(
        {
          path: Type.String({ description: 'Path and query of a GET.', pattern: '^/[!-~]*$', maxLength: 1024 }),
          expectedStatuses: Type.Optional(
            Type.Array(Type.Integer({ description: 'A status.', minimum: 200, maximum: 599 }), {
              description: 'Statuses that mean healthy; default: every 2xx.',
              minItems: 1,
              maxItems: 16,
            }),
          ),
          protocol: Type.Optional(
            oneOf(['http1', 'http2'], { default: 'http1', description: 'What the endpoint is asked in.' }),
          ),
        },
        { ...strict, description: 'A GET; healthy is an expected status.' },
      ),
    ),
  },
  { ...oneMember, description: 'What is asked of an endpoint.' },
);
export type HealthProbeSpec = Static<typeof HealthProbeSpec>;

export const HealthCheckSpec = Type.Object(
  {
    probe: HealthProbeSpec,
    interval: Type.Optional(
      duration({ min: '100ms', max: '10m', default: '10s', description: 'From one check to the next, ± 10 %.' }),
    ),
    timeout: Type.Optional(
      duration({ min: '10ms', max: '1m', default: '1s', description: 'For the answer; not above interval.' }),
    ),
    unhealthyAfter: Type.Optional(
      Type.Integer({ description: 'Bad checks in a row that take it out.', minimum: 1, maximum: 100, default: 3 }),
    ),
    healthyAfter: Type.Optional(
      Type.Integer({ description: 'Good checks in a row that bring it back.', minimum: 1, maximum: 100, default: 2 }),
    ),
  },
  {
    ...strict,
    description:
      'Each sidecar of a caller asks every endpoint, and leaves out those that are unhealthy unless all are. A refusal ' +
      'by a limit is no sign of bad health.',
  },
);
export type HealthCheckSpec = Static<typeof HealthCheckSpec>;

export const OutboundSpec = Type.Object(
  {
    timeout: Type.Optional(
      duration({ min: '1ms', max: '1h', description: "Whole request, as the caller's sidecar sees it." }),
    ),
    connectTimeout: Type.Optional(
      duration({ min: '1ms', max: '1m', default: '1s', description: 'Opening of a connection to an endpoint.' }),
    ),
    circuitBreaker: Type.Optional(CircuitBreakerSpec),
    healthCheck: Type.Optional(HealthCheckSpec),
  },
  { ...strict, description: "Obeyed by the sidecars of the service's callers." },
);
export type OutboundSpec = Static<typeof OutboundSpec>;
