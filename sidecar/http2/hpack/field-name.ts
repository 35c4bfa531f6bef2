/**
 * The field names that we know, as small integers: routing, validation and the encoder then switch on a number, and a
 * name decoded ten thousand times a second is one string. Unknown names are 0, and cost a comparison where they matter.
 */

/** Pseudo-header fields come first (up to `lastPseudo`), then what may occur once only (up to `lastSingle`). */
export const FieldName = {
  unknown: 0,
  authority: 1,
  method: 2,
  path: 3,
  scheme: 4,
  status: 5,
  protocol: 6,
  te: 7,
  contentLength: 8,
  host: 9,
  contentType: 10,
  grpcTimeout: 11,
  grpcStatus: 12,
  grpcMessage: 13,
  grpcEncoding: 14,
  grpcAcceptEncoding: 15,
  grpcStatusDetails: 16,
  grpcPreviousRpcAttempts: 17,
  grpcRetryPushbackMs: 18,
  traceparent: 19,
  tracestate: 20,
  userAgent: 21,
  cookie: 22,
  setCookie: 23,
  authorization: 24,
  proxyAuthorization: 25,
  connection: 26,
  proxyConnection: 27,
  keepAlive: 28,
  transferEncoding: 29,
  upgrade: 30,
  server: 31,
  date: 32,
  xRequestId: 33,
  xForwardedFor: 34,
  xForwardedProto: 35,
  accept: 36,
  acceptCharset: 37,
  acceptEncoding: 38,
  acceptLanguage: 39,
  acceptRanges: 40,
  accessControlAllowOrigin: 41,
  age: 42,
  allow: 43,
  cacheControl: 44,
  contentDisposition: 45,
  contentEncoding: 46,
  contentLanguage: 47,
  contentLocation: 48,
  contentRange: 49,
  etag: 50,
  expect: 51,
  expires: 52,
  from: 53,
  ifMatch: 54,
  ifModifiedSince: 55,
  ifNoneMatch: 56,
  ifRange: 57,
  ifUnmodifiedSince: 58,
  lastModified: 59,
  link: 60,
  location: 61,
  maxForwards: 62,
  proxyAuthenticate: 63,
  range: 64,
  referer: 65,
  refresh: 66,
  retryAfter: 67,
  strictTransportSecurity: 68,
  vary: 69,
  via: 70,
  wwwAuthenticate: 71,
  xApiKey: 72,
  weirTier: 73,
  weirUser: 74,
  weirTenant: 75,
  weirLevel: 76,
  weirReason: 77,
} as const;

/** Ids from 1 to here are pseudo-header fields. */
export const lastPseudo: number = FieldName.protocol;
/** Ids from 1 to here make a message malformed when they come twice. */
export const lastSingle: number = FieldName.host;

/** Ids from here on are the mesh's own; others of its names are unknown ones. */
export const firstWeir: number = FieldName.weirTier;

/** What the encoder may do with a field. */
export const Indexing = {
  /** A literal every time: unknown names, and values that rarely repeat under a name of the static table. */
  literal: 0,
  /** Into the dynamic table: few values, many requests. */
  value: 1,
  /** The name only: the first value takes the name into the table, the others are literals behind its index. */
  name: 2,
  /** Never-indexed on the wire: a secret must not become a compression oracle (RFC 7541 §7.1.3). */
  never: 3,
  /** `:path`: into the table when it was seen to repeat, and in bounded number. */
  path: 4,
} as const;

/** Names whose text is not simply the key with its capitals as `-` and a small letter. */
const spelled: Readonly<Record<string, string>> = {
  unknown: '',
  authority: ':authority',
  method: ':method',
  path: ':path',
  scheme: ':scheme',
  status: ':status',
  protocol: ':protocol',
  grpcStatusDetails: 'grpc-status-details-bin',
};

/** The text of every id. */
export const fieldNames: readonly string[] = Object.keys(FieldName).map(
  (key) => spelled[key] ?? key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
);

const idsByName: ReadonlyMap<string, number> = new Map(fieldNames.map((name, id) => [name, id]).slice(1) as []);

/** The id of a name, 0 when it is none of ours. */
export function fieldNameId(name: string): number {
  return idsByName.get(name) ?? FieldName.unknown;
}

/** `Indexing` by id. */
export const indexingOf: Uint8Array = new Uint8Array(fieldNames.length);

for (const id of [
  FieldName.authority,
  FieldName.method,
  FieldName.scheme,
  FieldName.status,
  FieldName.protocol,
  FieldName.te,
  FieldName.host,
  FieldName.contentType,
  // Seventeen values at most come often; a success is one byte of trailers.
  FieldName.grpcStatus,
  FieldName.grpcEncoding,
  FieldName.grpcAcceptEncoding,
  FieldName.userAgent,
  FieldName.server,
  FieldName.xForwardedProto,
  FieldName.accept,
  FieldName.acceptCharset,
  FieldName.acceptEncoding,
  FieldName.acceptLanguage,
  FieldName.acceptRanges,
  FieldName.accessControlAllowOrigin,
  FieldName.allow,
  FieldName.cacheControl,
  FieldName.contentEncoding,
  FieldName.contentLanguage,
  FieldName.strictTransportSecurity,
  FieldName.vary,
  FieldName.weirTier,
  FieldName.weirUser,
  FieldName.weirLevel,
  FieldName.weirReason,
]) {
  indexingOf[id] = Indexing.value;
}
for (const id of [
  FieldName.grpcTimeout,
  FieldName.grpcMessage,
  FieldName.traceparent,
  FieldName.tracestate,
  FieldName.xRequestId,
  FieldName.weirTenant,
]) {
  indexingOf[id] = Indexing.name;
}
for (const id of [
  FieldName.cookie,
  FieldName.setCookie,
  FieldName.authorization,
  FieldName.proxyAuthorization,
  FieldName.xApiKey,
]) {
  indexingOf[id] = Indexing.never;
}
indexingOf[FieldName.path] = Indexing.path;
