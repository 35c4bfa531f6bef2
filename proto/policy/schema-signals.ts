/** What responses tell callers about the limits, besides the refusals themselves. */
import { type Static, Type } from 'typebox';
import { strict } from './schema-parts.ts';

export const SignalsSpec = Type.Object(
  {
    rateLimitFields: Type.Optional(
      Type.Boolean({
        description:
          'Whether admitted responses carry RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers): the ' +
          'limit with the smallest share left, rounded to two digits. Refusals by a rate limit always do.',
        default: false,
      }),
    ),
  },
  { ...strict, description: 'What responses tell callers, so that they slow down before they are refused.' },
);
export type SignalsSpec = Static<typeof SignalsSpec>;
