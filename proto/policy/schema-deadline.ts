/** How long a request may take. */
import { type Static, Type } from 'typebox';
import { duration, strict } from './schema-parts.ts';

export const DeadlineSpec = Type.Object(
  {
    default: Type.Optional(
      duration({ min: '1ms', max: '1h', description: 'Given to requests that bring no deadline of their own.' }),
    ),
    max: Type.Optional(duration({ min: '1ms', max: '1h', description: 'Longer deadlines are cut to this.' })),
  },
  { ...strict, description: 'Time a request may take from its arrival; past it, it is refused or cancelled.' },
);
export type DeadlineSpec = Static<typeof DeadlineSpec>;
