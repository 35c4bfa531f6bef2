/** What answers say about the health of the service. */
import { type Static, Type } from 'typebox';
import { grpcCodeNames } from '../grpc-codes.ts';
import { strict } from './schema-parts.ts';

const statuses = (description: string) =>
  Type.Optional(
    Type.Array(
      Type.String({
        description: 'An HTTP status (503), a class of them (5xx), or a gRPC status (UNAVAILABLE).',
        pattern: `^([1-5][0-9]{2}|[1-5]xx|${grpcCodeNames.join('|')})$`,
        maxLength: 24,
      }),
      { description, maxItems: 64, uniqueItems: false },
    ),
  );

export const ClassificationSpec = Type.Object(
  {
    failures: statuses('The service failed: they open breakers and eject endpoints.'),
    successes: statuses('A healthy answer.'),
    ignored: statuses('It says nothing about health: it is counted neither as one nor as the other.'),
  },
  {
    ...strict,
    description:
      'What answers say about the health of the service, for circuit breakers, outlier detection, concurrency limits and ' +
      'reports alike. Statuses that are not named keep their meaning: 5xx but 501 and 505, UNKNOWN, DEADLINE_EXCEEDED, ' +
      'INTERNAL, UNAVAILABLE and DATA_LOSS are failures; 429, 499, CANCELLED and RESOURCE_EXHAUSTED are ignored; all ' +
      'others are successes. A status wins over its class. Lost connections and missed deadlines are always failures, ' +
      'refusals by Weir are always ignored.',
  },
);
export type ClassificationSpec = Static<typeof ClassificationSpec>;
