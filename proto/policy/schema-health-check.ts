/** How endpoints are asked for their health. */
import { type Static, Type } from 'typebox';
import { duration, oneMember, oneOf, strict } from './schema-parts.ts';

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
