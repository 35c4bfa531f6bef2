/** What responses tell callers about limits and load, besides the refusals themselves. */
import { type Static, Type } from 'typebox';
import { oneOf, strict } from './schema-parts.ts';

export const orcaListeners = ['mesh', 'everybody'] as const;

export const OrcaSpec = Type.Object(
  {
    to: Type.Optional(
      oneOf(orcaListeners, {
        description: 'Who is told: sidecars of the mesh that have proved it, or all callers.',
        default: 'mesh',
      }),
    ),
  },
  {
    ...strict,
    description:
      'Answers carry endpoint-load-metrics-bin (ORCA), in the trailers of gRPC, else in the head: requests and failures a ' +
      'second, requests in flight, and as application_utilization the permits in use and the requests that wait, divided ' +
      'by the concurrency limit (left out without one). By it callers balance: orcaWeighted, prequal. An app that reports ' +
      'its load itself has the word.',
  },
);
export type OrcaSpec = Static<typeof OrcaSpec>;

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
    orca: Type.Optional(OrcaSpec),
  },
  { ...strict, description: 'What responses tell callers, so that they slow down before they are refused.' },
);
export type SignalsSpec = Static<typeof SignalsSpec>;
