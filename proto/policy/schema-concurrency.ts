/** How many requests are in a service at once. */
import { type Static, Type } from 'typebox';
import { oneMember, strict } from './schema-parts.ts';

export const ConcurrencySpec = Type.Object(
  {
    fixed: Type.Optional(
      Type.Object(
        { limit: Type.Integer({ description: 'Requests in the service at once.', minimum: 1, maximum: 100_000 }) },
        { ...strict, description: 'A limit that does not move.' },
      ),
    ),
  },
  { ...oneMember, description: 'How many requests each sidecar lets into its service at once.' },
);
export type ConcurrencySpec = Static<typeof ConcurrencySpec>;
