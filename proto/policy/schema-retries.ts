/** More than one attempt at an answer: retries after a failure, hedges beside a slow one. */
import { type Static, Type } from 'typebox';
import { duration, oneOf, strict } from './schema-parts.ts';

/** What a second attempt could answer differently. */
const retryableGrpcStatuses = [
  'CANCELLED',
  'UNKNOWN',
  'DEADLINE_EXCEEDED',
  'RESOURCE_EXHAUSTED',
  'ABORTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
] as const;

const attemptsMax = Type.Integer({
  description: 'Attempts in all, the first included.',
  minimum: 2,
  maximum: 3,
  default: 2,
});

const nonIdempotent = Type.Boolean({
  description:
    'Also where the method does not say that the call may be made twice: POST, PATCH, and every gRPC call. A call may ' +
    'then be carried out more than once: only where that is harmless.',
  default: false,
});

export const RetryOnSpec = Type.Object(
  {
    connectFailure: Type.Optional(
      Type.Boolean({ description: 'No connection to the endpoint: nothing was sent.', default: true }),
    ),
    refused: Type.Optional(
      Type.Boolean({
        description:
          'The server refused the request unread (REFUSED_STREAM, GOAWAY), or the sidecar of one endpoint had no room for it: ' +
          'then it goes to another at once, at most twice, beside the attempts and from the same budget.',
        default: true,
      }),
    ),
    reset: Type.Optional(
      Type.Boolean({ description: 'The stream or connection ended before an answer. Idempotent only.', default: true }),
    ),
    tryTimeout: Type.Optional(
      Type.Boolean({ description: 'No answer within perTryTimeout. Idempotent only.', default: true }),
    ),
    grpcStatuses: Type.Optional(
      Type.Array(oneOf([...retryableGrpcStatuses], { description: 'A status.' }), {
        description:
          'gRPC statuses, when no message came before. Whoever lists one vouches that the call may be made again. ' +
          'Default: UNAVAILABLE.',
        maxItems: 8,
      }),
    ),
    httpStatuses: Type.Optional(
      Type.Array(Type.Integer({ description: 'A status.', minimum: 400, maximum: 599 }), {
        description: 'HTTP statuses. Idempotent only. Default: 502, 503, 504.',
        maxItems: 16,
      }),
    ),
  },
  { ...strict, description: 'Which failures are worth another attempt.' },
);
export type RetryOnSpec = Static<typeof RetryOnSpec>;

export const BackoffSpec = Type.Object(
  {
    base: Type.Optional(
      duration({ min: '1ms', max: '10s', default: '25ms', description: 'Longest wait before the first retry.' }),
    ),
    max: Type.Optional(
      duration({ min: '1ms', max: '1m', default: '250ms', description: 'Longest wait at all; at least base.' }),
    ),
  },
  {
    ...strict,
    description:
      'The wait before a retry is anything between nothing and base, doubled with each retry (full jitter). A wait that ' +
      'the service asks for goes before.',
  },
);

export const RetryBudgetSpec = Type.Object(
  {
    percent: Type.Optional(
      Type.Integer({
        description: 'Retries and hedges of 100 requests, over the last 10 s.',
        minimum: 1,
        maximum: 100,
        default: 10,
      }),
    ),
    minConcurrent: Type.Optional(
      Type.Integer({
        description:
          'Retries at once that are allowed below that share, for quiet callers; at most 10 times as many in 10 s. Of ' +
          'each thread.',
        minimum: 0,
        maximum: 100,
        default: 3,
      }),
    ),
  },
  {
    ...strict,
    description:
      "What all retries and hedges to the service together may be. Beyond it the service's own answer goes to the caller.",
  },
);
export type RetryBudgetSpec = Static<typeof RetryBudgetSpec>;

export const RetriesSpec = Type.Object(
  {
    attemptsMax: Type.Optional(attemptsMax),
    retryOn: Type.Optional(RetryOnSpec),
    nonIdempotent: Type.Optional(nonIdempotent),
    backoff: Type.Optional(BackoffSpec),
    budget: Type.Optional(RetryBudgetSpec),
  },
  {
    ...strict,
    description:
      'Another attempt, at another endpoint where there is one, while no answer has begun and the request is at hand ' +
      '(16 KiB of content). A request that is a retry already (grpc-previous-rpc-attempts, weir-attempt) gets none, and ' +
      'a service that says "not again" (grpc-retry-pushback-ms, Retry-After) is obeyed. In shadow: counted, not made.',
  },
);
export type RetriesSpec = Static<typeof RetriesSpec>;

export const HedgingSpec = Type.Object(
  {
    after: duration({
      min: '1ms',
      max: '1m',
      description: 'An attempt without an answer for so long gets another beside it; about the 95th percentile.',
    }),
    attemptsMax: Type.Optional(attemptsMax),
    nonIdempotent: Type.Optional(nonIdempotent),
  },
  {
    ...strict,
    description:
      'A second attempt beside a slow one; the first answer wins, the other is cancelled. Takes from the budget of ' +
      'retries; none for a while after the service pushed back. In shadow: counted, not made.',
  },
);
export type HedgingSpec = Static<typeof HedgingSpec>;
