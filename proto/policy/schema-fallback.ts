/** What answers when a service cannot. */
import { type Static, Type } from 'typebox';
import { duration, headerNamePattern, oneOf, size, strict } from './schema-parts.ts';

export const fallbackConditions = ['breakerOpen', 'noEndpoints', 'refused', 'failed', 'serverError'] as const;
export const fallbackBodyMax = 65_536;
/** Four characters for three octets. */
const base64Max = 87_384;
const fieldsMax = 16;
/** A field value of RFC 9110 §5.5, in the octets that everybody passes. */
const fieldValuePattern = '^([!-~]([ -~]*[!-~])?)?$';

export const FieldSpec = Type.Object(
  {
    name: Type.String({ description: 'Its name.', pattern: headerNamePattern, minLength: 1, maxLength: 64 }),
    value: Type.String({ description: 'Its value.', pattern: fieldValuePattern, maxLength: 1024 }),
  },
  { ...strict, description: 'A header or trailer field.' },
);
export type FieldSpec = Static<typeof FieldSpec>;

export const StaticHttpSpec = Type.Object(
  {
    status: Type.Optional(
      Type.Integer({ description: 'Status of the answer.', minimum: 200, maximum: 599, default: 200 }),
    ),
    headers: Type.Optional(
      Type.Array(FieldSpec, { description: 'Header fields; the length is added.', maxItems: fieldsMax }),
    ),
    body: Type.Optional(
      Type.String({
        description: 'Text, sent in UTF-8. Without content-type it is plain text.',
        maxLength: fallbackBodyMax,
      }),
    ),
  },
  { ...strict, description: 'To requests that are no calls of gRPC.' },
);
export type StaticHttpSpec = Static<typeof StaticHttpSpec>;

export const StaticGrpcSpec = Type.Object(
  {
    status: Type.Optional(Type.Integer({ description: 'Status code of gRPC.', minimum: 0, maximum: 16, default: 0 })),
    statusMessage: Type.Optional(
      Type.String({ description: 'Goes with the status, as grpc-message.', maxLength: 1024 }),
    ),
    message: Type.Optional(
      Type.String({
        description:
          'One response message, as the serialised protobuf in base64; an empty text is a message with every field at ' +
          'its default. Without it the status comes alone, which unary clients take for an error even when it is 0.',
        pattern: '^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$',
        maxLength: base64Max,
      }),
    ),
    trailers: Type.Optional(Type.Array(FieldSpec, { description: 'Trailing metadata.', maxItems: fieldsMax })),
  },
  { ...strict, description: 'To calls of gRPC.' },
);
export type StaticGrpcSpec = Static<typeof StaticGrpcSpec>;

export const StaticAnswerSpec = Type.Object(
  { http: Type.Optional(StaticHttpSpec), grpc: Type.Optional(StaticGrpcSpec) },
  { ...strict, minProperties: 1, description: 'A fixed answer; only for the kind of request that it names.' },
);
export type StaticAnswerSpec = Static<typeof StaticAnswerSpec>;

export const StaleMethodSpec = Type.Object(
  {
    service: Type.String({
      description: 'Full name of the gRPC service.',
      pattern: '^[A-Za-z_][A-Za-z0-9_.]*$',
      maxLength: 255,
    }),
    method: Type.String({ description: 'A unary method.', pattern: '^[A-Za-z_][A-Za-z0-9_]*$', maxLength: 255 }),
  },
  { ...strict, description: 'A method of gRPC without effects: to call it twice is to call it once.' },
);
export type StaleMethodSpec = Static<typeof StaleMethodSpec>;

export const StaleSpec = Type.Object(
  {
    maxAge: Type.Optional(
      duration({ min: '1s', max: '168h', default: '5m', description: 'Older answers are not given any more.' }),
    ),
    entriesMax: Type.Optional(
      Type.Integer({
        description: 'Answers kept in each sidecar; the oldest go first.',
        minimum: 1,
        maximum: 100_000,
        default: 1000,
      }),
    ),
    bytesMax: Type.Optional(
      size({ min: '4KiB', max: '1GiB', default: '8MiB', description: 'What they may hold together.' }),
    ),
    answerBytesMax: Type.Optional(
      size({ min: '256B', max: '1MiB', default: '64KiB', description: 'Content of one; longer ones are not kept.' }),
    ),
    grpcMethods: Type.Optional(
      Type.Array(StaleMethodSpec, {
        description: 'Calls whose answers are kept, by method and message (up to 16 KiB); without it none are.',
        maxItems: 64,
        'x-weir-ordered': true,
      }),
    ),
  },
  {
    ...strict,
    description:
      'The last good answer to the same request, with its age and `weir-fallback: stale`. Kept are complete answers to ' +
      'GET and HEAD with 200, 203 or 204, and to the methods of gRPC named here. What RFC 9111 keeps from shared caches is ' +
      'kept from this one: Cache-Control no-store, no-cache, private, must-revalidate and s-maxage, Set-Cookie, answers ' +
      'that vary by everything, and answers to requests with Authorization or Cookie unless they say public. Each ' +
      'thread of a sidecar has its part of the bounds.',
  },
);
export type StaleSpec = Static<typeof StaleSpec>;

export const FallbackSpec = Type.Object(
  {
    on: Type.Optional(
      Type.Array(
        oneOf([...fallbackConditions], {
          description:
            'breakerOpen: the circuit breaker is open. noEndpoints: none is known. refused: this sidecar, or the ' +
            "service's, refused the request to protect it. failed: no connection, or it broke, or time ran out, before " +
            'the answer began. serverError: the answer is a 5xx, or a failure of gRPC without a message.',
        }),
        { description: 'When; default: breakerOpen, noEndpoints, refused, failed.', minItems: 1, maxItems: 5 },
      ),
    ),
    service: Type.Optional(
      Type.String({
        description:
          'Another service that is asked, <namespace>/<name>, under its own policy; once for each request, so that two ' +
          'services may name each other. Needs a request of which no more than 16 KiB were sent. The authority stays.',
        pattern: '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?/[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$',
        maxLength: 127,
      }),
    ),
    stale: Type.Optional(StaleSpec),
    static: Type.Optional(StaticAnswerSpec),
  },
  {
    ...strict,
    description:
      'What answers when the service cannot, before its answer began: another service, else its last good answer, else a ' +
      'fixed one; of these, those that are named. A caller may take such an answer for a fresh one: it is marked by ' +
      'weir-fallback only. A fallback is counted, and the refusal or failure behind it is counted as ever.',
  },
);
export type FallbackSpec = Static<typeof FallbackSpec>;
