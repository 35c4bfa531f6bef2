/** Requests that are put aside when a service cannot take them, and delivered when it can. */
import { type Static, Type } from 'typebox';
import { StaleMethodSpec, StaticGrpcSpec } from './schema-fallback.ts';
import { duration, headerNamePattern, oneOf, size, strict } from './schema-parts.ts';

export const parkingConditions = ['breakerOpen', 'refused', 'failed', 'timeout'] as const;

export const ParkingIdempotentSpec = Type.Object(
  {
    grpcMethods: Type.Optional(
      Type.Array(StaleMethodSpec, { description: 'Unary methods of gRPC.', maxItems: 64, 'x-weir-ordered': true }),
    ),
    httpMethods: Type.Optional(
      Type.Array(oneOf(['GET', 'HEAD', 'PUT', 'DELETE', 'POST', 'PATCH'], { description: 'A method of HTTP.' }), {
        description: 'Methods of requests that are no calls of gRPC.',
        maxItems: 6,
      }),
    ),
  },
  {
    ...strict,
    minProperties: 1,
    description:
      'What may be parked, because carrying it out twice does no harm: whoever lists it vouches for that. Each request ' +
      'has one Idempotency-Key for all its attempts and deliveries, its own or one that is made for it.',
  },
);
export type ParkingIdempotentSpec = Static<typeof ParkingIdempotentSpec>;

export const ParkingBackoffSpec = Type.Object(
  {
    base: Type.Optional(
      duration({ min: '10ms', max: '10m', default: '1s', description: 'Wait after the first delivery that failed.' }),
    ),
    max: Type.Optional(
      duration({ min: '10ms', max: '1h', default: '5m', description: 'Longest wait; at least base.' }),
    ),
  },
  { ...strict, description: 'The wait before another delivery doubles with each that failed, ± 20 %.' },
);

export const ParkingHttpAnswerSpec = Type.Object(
  {
    location: Type.Optional(
      Type.String({
        description: 'The Location of the answer; {reference} becomes the reference. Default: none.',
        pattern: '^[!-~]+$',
        minLength: 1,
        maxLength: 512,
      }),
    ),
  },
  { ...strict, description: '202 with {"reference": "…"}.' },
);
export type ParkingHttpAnswerSpec = Static<typeof ParkingHttpAnswerSpec>;

export const ParkingAnswerSpec = Type.Object(
  { http: Type.Optional(ParkingHttpAnswerSpec), grpc: Type.Optional(StaticGrpcSpec) },
  {
    ...strict,
    description:
      'What the caller of a parked request gets, once the request is stored: of HTTP 202, of gRPC this status or message ' +
      '(default: ABORTED), both with the reference in weir-parked.',
  },
);
export type ParkingAnswerSpec = Static<typeof ParkingAnswerSpec>;

export const ParkingSpec = Type.Object(
  {
    idempotent: ParkingIdempotentSpec,
    on: Type.Optional(
      Type.Array(
        oneOf([...parkingConditions], {
          description:
            'breakerOpen: the circuit breaker is open. refused: this sidecar, or the service or its sidecar, refused the ' +
            'request to protect it (queue full, shed, 429). failed: no endpoint, no connection, or a failure, and no retry ' +
            'is left. timeout: time ran out; the service may have done what was asked.',
        }),
        { description: 'When; default: breakerOpen, refused, failed.', minItems: 1, maxItems: 4 },
      ),
    ),
    bodyMax: Type.Optional(
      size({ min: '256B', max: '512KiB', default: '64KiB', description: 'Content; a longer request is not parked.' }),
    ),
    headers: Type.Optional(
      Type.Array(
        Type.String({
          description: 'Name of a request header; case does not matter.',
          pattern: headerNamePattern,
          minLength: 1,
          maxLength: 64,
        }),
        {
          description:
            'Headers that are kept, beside content-type, content-encoding, grpc-encoding, idempotency-key, traceparent and ' +
            'tracestate. They are written to disk: think twice about credentials.',
          maxItems: 32,
        },
      ),
    ),
    messagesMax: Type.Optional(
      Type.Integer({
        description:
          'Requests parked for the service; more are refused. Each sidecar counts once a second, so that callers together ' +
          'may be over it by what they park in a second; the stream has a bound of its own.',
        minimum: 1,
        maximum: 1_000_000,
        default: 100_000,
        'x-weir-unit': 'requests',
      }),
    ),
    ageMax: Type.Optional(
      duration({
        min: '1s',
        max: '144h',
        default: '24h',
        description: 'A request that was parked for longer goes to the dead letters.',
      }),
    ),
    maxDeliveries: Type.Optional(
      Type.Integer({
        description: 'Deliveries that may fail before a request goes to the dead letters.',
        minimum: 1,
        maximum: 100,
        default: 8,
        'x-weir-unit': 'deliveries',
      }),
    ),
    backoff: Type.Optional(ParkingBackoffSpec),
    answer: Type.Optional(ParkingAnswerSpec),
  },
  {
    ...strict,
    description:
      'A request that the service cannot take is stored in JetStream, and its caller told so; sidecars of the service ' +
      'deliver it when the service is well, through its own limits at the lowest tier. What fails too often, or is not ' +
      'valid (INVALID_ARGUMENT, 4xx but 408, 425 and 429), goes to the dead letters. Without NATS, at a bound, or when the ' +
      'request is too long, it is refused as ever. A fallback goes before. In shadow: counted, not parked.',
  },
);
export type ParkingSpec = Static<typeof ParkingSpec>;
