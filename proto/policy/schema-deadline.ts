/** How long a request may take. */
import { type Static, Type } from 'typebox';
import { duration, headerNamePattern, strict } from './schema-parts.ts';

export const timeoutHeader = Type.String({
  description:
    'A request header with the whole ms that the caller waits, for requests that are not gRPC, such as ' +
    'x-request-timeout-ms. It counts like grpc-timeout, and goes on with what is left.',
  pattern: headerNamePattern,
  minLength: 1,
  maxLength: 64,
});

export const DeadlineSpec = Type.Object(
  {
    default: Type.Optional(
      duration({ min: '1ms', max: '1h', description: 'Given to requests that bring no deadline of their own.' }),
    ),
    max: Type.Optional(duration({ min: '1ms', max: '1h', description: 'Longer deadlines are cut to this.' })),
    header: Type.Optional(timeoutHeader),
  },
  { ...strict, description: 'Time a request may take from its arrival; past it, it is refused or cancelled.' },
);
export type DeadlineSpec = Static<typeof DeadlineSpec>;
