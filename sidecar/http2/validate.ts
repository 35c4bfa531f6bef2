/**
 * What makes fields and messages malformed (RFC 9113 §8.2, §8.3, RFC 9110 §5). Everything is an answer, a code of
 * `FieldError`: a malformed message is the peer's doing and ends one stream. A field is judged once, where it is
 * decoded; a list of fields in one pass over the verdicts. We are as strict as nghttp2: a proxy that forwards what
 * its neighbours read differently is how requests are smuggled.
 */
import { FieldName, lastPseudo } from './hpack/field-name.ts';

export const FieldError = {
  none: 0,
  emptyName: 1,
  uppercaseName: 2,
  badNameCharacter: 3,
  unknownPseudo: 4,
  badValueCharacter: 5,
  valueWhitespace: 6,
  connectionSpecific: 7,
  badMethod: 8,
  badPath: 9,
  badScheme: 10,
  badAuthority: 11,
  badStatus: 12,
  badTe: 13,
  badContentLength: 14,
  duplicate: 15,
  pseudoAfterRegular: 16,
  pseudoNotAllowed: 17,
  missingMethod: 18,
  missingScheme: 19,
  missingPath: 20,
  missingAuthority: 21,
  connectRules: 22,
  protocolWithoutConnect: 23,
  hostMismatch: 24,
  missingStatus: 25,
  pseudoInTrailers: 26,
  notAllowedInTrailers: 27,
} as const;

const descriptions: Readonly<Record<keyof typeof FieldError, string>> = {
  none: 'valid',
  emptyName: 'empty field name (RFC 9113 §8.2.1)',
  uppercaseName: 'uppercase letter in a field name (RFC 9113 §8.2.1)',
  badNameCharacter: 'forbidden character in a field name (RFC 9113 §8.2.1)',
  unknownPseudo: 'unknown pseudo-header field (RFC 9113 §8.3)',
  badValueCharacter: 'control character in a field value (RFC 9113 §8.2.1)',
  valueWhitespace: 'field value begins or ends with whitespace (RFC 9113 §8.2.1)',
  connectionSpecific: 'connection-specific field (RFC 9113 §8.2.2)',
  badMethod: ':method is not a token (RFC 9110 §9.1)',
  badPath: ':path is empty, has whitespace, a fragment or non-ASCII, or does not begin with a slash (RFC 9113 §8.3.1)',
  badScheme: ':scheme is not a URI scheme (RFC 9113 §8.3.1)',
  badAuthority: ':authority or Host is not a host with an optional port (RFC 9113 §8.3.1)',
  badStatus: ':status is not a three-digit code that HTTP/2 allows (RFC 9113 §8.3.2, §8.6)',
  badTe: 'TE other than "trailers" (RFC 9113 §8.2.2)',
  badContentLength: 'content-length is not one decimal number (RFC 9110 §8.6)',
  duplicate: 'a field that may occur once occurs twice (RFC 9113 §8.3)',
  pseudoAfterRegular: 'pseudo-header field after a regular field (RFC 9113 §8.3)',
  pseudoNotAllowed: 'pseudo-header field of the other kind of message (RFC 9113 §8.3)',
  missingMethod: ':method is missing (RFC 9113 §8.3.1)',
  missingScheme: ':scheme is missing (RFC 9113 §8.3.1)',
  missingPath: ':path is missing (RFC 9113 §8.3.1)',
  missingAuthority: 'neither :authority nor Host (RFC 9113 §8.3.1)',
  connectRules: 'CONNECT with :scheme or :path, or without :authority (RFC 9113 §8.5)',
  protocolWithoutConnect: ':protocol without CONNECT (RFC 8441 §4)',
  hostMismatch: 'Host differs from :authority (RFC 9113 §8.3.1)',
  missingStatus: ':status is missing (RFC 9113 §8.3.2)',
  pseudoInTrailers: 'pseudo-header field in trailers (RFC 9113 §8.1)',
  notAllowedInTrailers: 'field that trailers must not have (RFC 9110 §6.5.1)',
};

const describedByCode: readonly string[] = Object.values(descriptions);

/** A sentence for logs and for the body of a 400. */
export function describeFieldError(code: number): string {
  return describedByCode[code] ?? `field error ${code}`;
}

/** Classes of characters, as bits. */
export const CharClass = {
  /** Never in a value: controls but HTAB. */
  control: 1,
  /** SP and HTAB: inside values only. */
  space: 2,
  /** No character of a URI's path or query: `#` and whatever is beyond ASCII (RFC 3986 §3.3). */
  notInPath: 4,
} as const;

/** `CharClass` by byte. */
export const charClasses: Uint8Array = new Uint8Array(256);
for (let c = 0; c < 0x20; c++) charClasses[c] = CharClass.control;
charClasses[0x7f] = CharClass.control;
charClasses[0x09] = CharClass.space;
charClasses[0x20] = CharClass.space;
charClasses[0x23] = CharClass.notInPath;
for (let c = 0x80; c < 0x100; c++) charClasses[c] = CharClass.notInPath;

const tokenChars = charSet("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz");
const methodChars = charSet("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
const schemeChars = charSet('+-.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ');
/** RFC 3986 §3.2 without the `@` of userinfo, which RFC 9113 §8.3.1 forbids. */
const authorityChars = charSet("-._~%!$&'()*+,;=:[]0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

function charSet(chars: string): Uint8Array {
  const set = new Uint8Array(256);
  for (let i = 0; i < chars.length; i++) set[chars.charCodeAt(i)] = 1;
  return set;
}

function isMadeOf(text: string, set: Uint8Array): boolean {
  for (let i = 0; i < text.length; i++) {
    if (set[text.charCodeAt(i)] !== 1) return false;
  }
  return text.length > 0;
}

/** Judges a name, whatever its value. */
export function nameError(id: number, name: string): number {
  if (id !== FieldName.unknown) {
    return id >= FieldName.connection && id <= FieldName.upgrade ? FieldError.connectionSpecific : FieldError.none;
  }
  if (name.length === 0) return FieldError.emptyName;
  if (name.charCodeAt(0) === 0x3a) return FieldError.unknownPseudo;
  for (let i = 0; i < name.length; i++) {
    const c = name.charCodeAt(i);
    if (tokenChars[c] !== 1) return c >= 0x41 && c <= 0x5a ? FieldError.uppercaseName : FieldError.badNameCharacter;
  }
  return FieldError.none;
}

/** The union of the classes of a text's characters; beyond Latin-1 there are no octets, so those count as controls. */
export function textClasses(text: string): number {
  let classes = 0;
  for (let i = 0; i < text.length; i++) classes |= charClasses[text.charCodeAt(i)] ?? CharClass.control;
  return classes;
}

/** Judges a value whose characters' classes are known (the decoder saw every byte anyway). */
export function valueError(id: number, value: string, classes: number): number {
  if (classes !== 0) {
    if ((classes & CharClass.control) !== 0) return FieldError.badValueCharacter;
    if (id === FieldName.path) return FieldError.badPath;
    if (isSpace(value.charCodeAt(0)) || isSpace(value.charCodeAt(value.length - 1))) return FieldError.valueWhitespace;
  }
  switch (id) {
    case FieldName.path:
      return value.length === 0 ? FieldError.badPath : FieldError.none;
    case FieldName.method:
      return isMadeOf(value, methodChars) ? FieldError.none : FieldError.badMethod;
    case FieldName.scheme:
      return isMadeOf(value, schemeChars) ? FieldError.none : FieldError.badScheme;
    case FieldName.authority:
    case FieldName.host:
      return value.length === 0 || isMadeOf(value, authorityChars) ? FieldError.none : FieldError.badAuthority;
    case FieldName.status:
      return parseStatus(value) === 0 ? FieldError.badStatus : FieldError.none;
    case FieldName.contentLength:
      return parseContentLength(value) < 0 ? FieldError.badContentLength : FieldError.none;
    default:
      return FieldError.none;
  }
}

function isSpace(c: number): boolean {
  return c === 0x20 || c === 0x09;
}

/** The number in `content-length`; -2 when it is not plain digits or too large to count exactly. */
export function parseContentLength(value: string): number {
  // 15 digits stay below 2^53.
  if (value.length === 0 || value.length > 15) return -2;
  let length = 0;
  for (let i = 0; i < value.length; i++) {
    const digit = value.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return -2;
    length = length * 10 + digit;
  }
  return length;
}

/** The code in `:status`, 0 when it is none; 101 does not exist in HTTP/2 (RFC 9113 §8.6). */
export function parseStatus(value: string): number {
  if (value.length !== 3) return 0;
  const a = value.charCodeAt(0) - 0x30;
  const b = value.charCodeAt(1) - 0x30;
  const c = value.charCodeAt(2) - 0x30;
  if (a < 1 || a > 9 || b < 0 || b > 9 || c < 0 || c > 9) return 0;
  const status = a * 100 + b * 10 + c;
  return status === 101 ? 0 : status;
}

/** What the one pass over a list found out, as far as the verdicts need it. */
export interface ListFacts {
  /** Bit `id` for every known field up to `FieldName.contentType`. */
  readonly seen: number;
  /** The first error that condemns the list in any role: a bad field, a duplicate, a late pseudo-header field. */
  readonly anyError: number;
  readonly method: string;
  readonly path: string;
  readonly scheme: string;
  readonly authority: string;
  readonly host: string;
  readonly teTrailers: boolean;
}

const bit = (id: number): number => 1 << id;
const pseudoBits = bit(lastPseudo + 1) - 2;
const requestBits = pseudoBits & ~bit(FieldName.status);

/** RFC 9113 §8.3.1, §8.5; RFC 8441 §4 (whether `:protocol` was offered is for the connection to know). */
export function requestErrorOf(facts: ListFacts): number {
  if (facts.anyError !== 0) return facts.anyError;
  const seen = facts.seen;
  if ((seen & bit(FieldName.status)) !== 0) return FieldError.pseudoNotAllowed;
  if ((seen & bit(FieldName.method)) === 0) return FieldError.missingMethod;
  const hasScheme = (seen & bit(FieldName.scheme)) !== 0;
  const hasPath = (seen & bit(FieldName.path)) !== 0;
  const isExtended = (seen & bit(FieldName.protocol)) !== 0;
  if (facts.method === 'CONNECT') {
    if (facts.authority === '' || (seen & bit(FieldName.authority)) === 0) return FieldError.connectRules;
    if (!isExtended && (hasScheme || hasPath)) return FieldError.connectRules;
  } else if (isExtended) {
    return FieldError.protocolWithoutConnect;
  }
  if (facts.method !== 'CONNECT' || isExtended) {
    if (!hasScheme) return FieldError.missingScheme;
    if (!hasPath) return FieldError.missingPath;
    if (facts.authority === '') return FieldError.missingAuthority;
    // Other schemes have no such rule; we proxy only these two, but that is for routing to say.
    if (facts.path.charCodeAt(0) !== 0x2f && (facts.scheme === 'http' || facts.scheme === 'https')) {
      if (facts.path !== '*' || facts.method !== 'OPTIONS') return FieldError.badPath;
    }
  }
  if ((seen & bit(FieldName.te)) !== 0 && !facts.teTrailers) return FieldError.badTe;
  if ((seen & bit(FieldName.host)) !== 0 && facts.host !== facts.authority) {
    if (normalHost(facts.host, facts.scheme) !== normalHost(facts.authority, facts.scheme)) {
      return FieldError.hostMismatch;
    }
  }
  return FieldError.none;
}

/**
 * RFC 9113 §8.3.1: a Host that names another entity than :authority makes a request malformed, and both are to be
 * compared in their normal forms, which are without case (RFC 3986 §6.2.2.1) and without a default port (§6.2.3). Whoever
 * is behind us may go by either, so two that differ would let a caller pass as another.
 */
function normalHost(host: string, scheme: string): string {
  const lower = host.toLowerCase();
  const port = scheme === 'https' ? ':443' : ':80';
  if (lower.endsWith(port)) return lower.slice(0, -port.length);
  return lower.endsWith(':') ? lower.slice(0, -1) : lower;
}

/** RFC 9113 §8.3.2. */
export function responseErrorOf(facts: ListFacts): number {
  if (facts.anyError !== 0) return facts.anyError;
  if ((facts.seen & requestBits) !== 0) return FieldError.pseudoNotAllowed;
  if ((facts.seen & bit(FieldName.status)) === 0) return FieldError.missingStatus;
  if ((facts.seen & bit(FieldName.te)) !== 0) return FieldError.connectionSpecific;
  return FieldError.none;
}

/** RFC 9113 §8.1, RFC 9110 §6.5.1: nothing that frames, routes or describes what came before it. */
export function trailersErrorOf(facts: ListFacts): number {
  if ((facts.seen & pseudoBits) !== 0) return FieldError.pseudoInTrailers;
  if (facts.anyError !== 0) return facts.anyError;
  const forbidden = bit(FieldName.te) | bit(FieldName.contentLength) | bit(FieldName.host);
  return (facts.seen & forbidden) !== 0 ? FieldError.notAllowedInTrailers : FieldError.none;
}
