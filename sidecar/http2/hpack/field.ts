/**
 * Header fields and lists of them. A `Field` is immutable and judged once; fields that repeat are one shared object
 * (the static table, a peer's dynamic table, the table of known values below), so that an indexed field costs neither
 * an allocation nor a second look, and the encoder knows it by identity. A `HeaderList` is read in one pass when it is
 * built: what routing and the checks ask for are plain properties after that.
 *
 * Octets are Latin-1 characters here, one to one: any legal value survives the proxy unchanged.
 */
import {
  CharClass,
  FieldError,
  type ListFacts,
  nameError,
  parseContentLength,
  parseStatus,
  requestErrorOf,
  responseErrorOf,
  textClasses,
  trailersErrorOf,
  valueError,
} from '../validate.ts';
import { FieldName, fieldNameId, fieldNames, Indexing, indexingOf, lastPseudo, lastSingle } from './field-name.ts';

export { FieldName } from './field-name.ts';

let lastSerial = 0;

export class Field {
  readonly name: string;
  private text: string;
  /** `FieldName`, 0 when unknown. */
  readonly id: number;
  /** The peer forbade indexing at every hop (RFC 7541 §6.2.3). */
  readonly neverIndexed: boolean;
  /** `FieldError` of the name or value alone. */
  readonly invalid: number;
  /** Position in the static table, 0 elsewhere. */
  readonly staticIndex: number;
  /** `Indexing`: what the encoder may do with it. */
  readonly indexing: number;
  /** What the value says: content-length (-2 invalid), :status (0 invalid), 1 for gRPC's content-type and for TE trailers. */
  readonly meaning: number;
  /** Size as RFC 7541 §4.1 counts it. */
  readonly bytes: number;
  /** Spreads fields over the encoder's slots. */
  readonly serial: number;

  constructor(
    name: string,
    value: string,
    id: number,
    neverIndexed: boolean,
    invalid: number,
    indexing: number,
    staticIndex: number,
    bytes: number,
  ) {
    this.name = name;
    this.text = value;
    this.id = id;
    this.neverIndexed = neverIndexed;
    this.invalid = invalid;
    this.staticIndex = staticIndex;
    this.indexing = indexing;
    this.meaning = id >= FieldName.status && id <= FieldName.contentType ? meaningOf(id, value) : 0;
    this.bytes = bytes;
    lastSerial = (lastSerial + 1) & 0x3fffffff;
    this.serial = lastSerial;
  }

  get value(): string {
    return this.text;
  }

  /** For the decoder, which makes the texts of a block's fields together, once it has read them all. */
  settle(value: string): void {
    this.text = value;
  }
}

function meaningOf(id: number, value: string): number {
  switch (id) {
    case FieldName.status:
      return parseStatus(value);
    case FieldName.contentLength:
      return parseContentLength(value);
    case FieldName.te:
      return value === 'trailers' || value.toLowerCase() === 'trailers' ? 1 : 0;
    case FieldName.contentType:
      return isGrpcContentType(value) ? 1 : 0;
    default:
      return 0;
  }
}

/** `application/grpc`, `application/grpc+proto`, `application/grpc;…`, but not gRPC-Web, which has no HTTP trailers. */
function isGrpcContentType(value: string): boolean {
  if (!value.startsWith('application/grpc')) return false;
  return value.length === 16 || value.charCodeAt(16) === 0x2b || value.charCodeAt(16) === 0x3b;
}

/** Values longer than this rarely repeat, and are not worth remembering. */
export const knownValueBytesMax = 256;
/** Known values per generation: two of them, so that strangers can flush the table but not grow it. */
export const knownValuesMax = 1024;

let youngValues: Map<string, Field>[] = fieldNames.map(() => new Map());
let oldValues: Map<string, Field>[] = fieldNames.map(() => new Map());
let youngCount = 0;
/** The static table's: never forgotten. */
const fixedValues: Map<string, Field>[] = fieldNames.map(() => new Map());

/** Makes `field` the one object for its name and value, for good. */
export function fixKnownField(field: Field): void {
  fixedValues[field.id]!.set(field.value, field);
}

/** The one field of this known name and value, made when it is new; names that never repeat are not for here. */
function knownField(id: number, value: string, invalid: number): Field {
  const known = youngValues[id]!.get(value) ?? fixedValues[id]!.get(value);
  if (known !== undefined) return known;
  const old = oldValues[id]!.get(value);
  if (youngCount >= knownValuesMax) {
    oldValues = youngValues;
    youngValues = fieldNames.map(() => new Map());
    youngCount = 0;
  }
  const field = old ?? knownFieldOf(id, value, invalid);
  youngValues[id]!.set(value, field);
  youngCount++;
  return field;
}

function knownFieldOf(id: number, value: string, invalid: number): Field {
  const name = fieldNames[id]!;
  return new Field(name, value, id, false, invalid, indexingOf[id]!, 0, fieldBytes(name.length, value.length));
}

/** RFC 7541 §4.1. */
function fieldBytes(nameLength: number, valueLength: number): number {
  return nameLength + valueLength + 32;
}

/** The one field for a `:path` that was seen to repeat. */
export function knownPath(field: Field): Field {
  if (field.invalid !== FieldError.none || field.value.length > knownValueBytesMax) return field;
  return knownField(FieldName.path, field.value, FieldError.none);
}

/** 1 for the names whose values nothing depends on when a field is made: the text may come later. */
export const mayBePending: Uint8Array = new Uint8Array(fieldNames.length);
for (let id = 0; id < fieldNames.length; id++) {
  const isPlain = id === FieldName.unknown || id > FieldName.contentType;
  if (isPlain && indexingOf[id] !== Indexing.value) mayBePending[id] = 1;
}
mayBePending[FieldName.path] = 1;

/** A field of such a name, whose text comes later; there is nothing wrong with the name or the value. */
export function makePendingField(id: number, name: string, valueLength: number, neverIndexed: boolean): Field {
  let indexing = indexingOf[id]!;
  if (neverIndexed) indexing = Indexing.never;
  else if (indexing === Indexing.path) indexing = Indexing.literal;
  return new Field(name, '', id, neverIndexed, FieldError.none, indexing, 0, fieldBytes(name.length, valueLength));
}

/** A name without a value. */
export function makeNameField(id: number, name: string): Field {
  const invalid = nameError(id, name);
  return new Field(name, '', id, false, invalid, indexingOf[id]!, 0, fieldBytes(name.length, 0));
}

/**
 * A field as the decoder found it. `classes` are the `CharClass`es of the value; `repeats` says that this very
 * value came before, which is what makes a `:path` worth remembering.
 */
export function makeField(
  id: number,
  name: string,
  value: string,
  classes: number,
  neverIndexed: boolean,
  repeats: boolean,
): Field {
  const nameInvalid = nameError(id, name);
  const invalid = nameInvalid !== FieldError.none ? nameInvalid : valueError(id, value, classes);
  let indexing = indexingOf[id]!;
  if (neverIndexed) indexing = Indexing.never;
  if (invalid === FieldError.none && value.length <= knownValueBytesMax) {
    if (indexing === Indexing.value || (indexing === Indexing.path && repeats)) return knownField(id, value, invalid);
  }
  if (indexing === Indexing.value || indexing === Indexing.path) indexing = Indexing.literal;
  return new Field(name, value, id, neverIndexed, invalid, indexing, 0, fieldBytes(name.length, value.length));
}

/** A field of our own. Characters beyond Latin-1 have no octet and become `?`. */
export function fieldOf(name: string, value: string): Field {
  let text = value;
  let classes = textClasses(text);
  if ((classes & CharClass.control) !== 0) {
    text = text.replace(/[^\0-\xff]/g, '?');
    classes = textClasses(text);
  }
  const id = fieldNameId(name);
  return makeField(id, id === 0 ? name : fieldNames[id]!, text, classes, false, true);
}

export interface HeaderChanges {
  readonly set?: readonly (readonly [name: string, value: string])[];
  readonly remove?: readonly string[];
}

let lastListId = 0;

export class HeaderList implements ListFacts {
  readonly fields: readonly Field[];
  /** Size as RFC 9113 §10.5.1 counts it: names, values and 32 a field. */
  readonly bytes: number;
  /** Unique; caches know a list by it. */
  readonly id: number;
  /** The peer sent more than the limits allow: `fields` has only what fitted. Answer 431, or reset. */
  readonly tooLarge: boolean;

  readonly method: string;
  readonly path: string;
  /** `:authority`, or Host where that is missing. */
  readonly authority: string;
  readonly host: string;
  readonly scheme: string;
  readonly protocol: string;
  /** 0 when absent. */
  readonly status: number;
  /** -1 when absent, -2 when invalid. */
  readonly contentLength: number;
  readonly isGrpc: boolean;
  readonly teTrailers: boolean;
  readonly grpcTimeout: string;
  readonly grpcStatus: string;

  readonly seen: number;
  readonly anyError: number;
  /** The verdicts, -1 until somebody asks: nobody asks for all three. */
  private requestVerdict = -1;
  private responseVerdict = -1;
  private trailersVerdict = -1;

  /** One slot for whoever routes: equal lists are often the same object, so the answer can be kept here. */
  derived: unknown = null;
  /** The same with less time left (exchange/onward-head.ts): the last one made. */
  timed: HeaderList | null = null;

  constructor(fields: readonly Field[], bytes: number, tooLarge: boolean) {
    let method = '';
    let path = '';
    let authority = '';
    let host = '';
    let scheme = '';
    let protocol = '';
    let status = 0;
    let contentLength = -1;
    let isGrpc = false;
    let teTrailers = false;
    let grpcTimeout = '';
    let grpcStatus = '';
    let seen = 0;
    let anyError = 0;
    let pseudoAllowed = true;

    for (let i = 0; i < fields.length; i++) {
      const field = fields[i]!;
      const id = field.id;
      if (field.invalid !== 0 && anyError === 0) anyError = field.invalid;
      if (id === FieldName.unknown || id > FieldName.contentType) {
        pseudoAllowed = false;
        if (id === FieldName.grpcTimeout) grpcTimeout = field.value;
        else if (id === FieldName.grpcStatus) grpcStatus = field.value;
        continue;
      }
      if (id > lastPseudo) pseudoAllowed = false;
      else if (!pseudoAllowed && anyError === 0) anyError = FieldError.pseudoAfterRegular;
      if ((seen & (1 << id)) !== 0 && id <= lastSingle && anyError === 0) anyError = FieldError.duplicate;
      seen |= 1 << id;
      switch (id) {
        case FieldName.method:
          method = field.value;
          break;
        case FieldName.path:
          path = field.value;
          break;
        case FieldName.authority:
          authority = field.value;
          break;
        case FieldName.scheme:
          scheme = field.value;
          break;
        case FieldName.status:
          status = field.meaning;
          break;
        case FieldName.protocol:
          protocol = field.value;
          break;
        case FieldName.te:
          teTrailers = field.meaning === 1;
          break;
        case FieldName.contentLength:
          contentLength = contentLength === -1 ? field.meaning : -2;
          break;
        case FieldName.host:
          host = field.value;
          break;
        default:
          isGrpc = field.meaning === 1;
      }
    }

    this.fields = fields;
    this.bytes = bytes;
    lastListId++;
    this.id = lastListId;
    this.tooLarge = tooLarge;
    this.method = method;
    this.path = path;
    this.authority = (seen & (1 << FieldName.authority)) !== 0 ? authority : host;
    this.host = host;
    this.scheme = scheme;
    this.protocol = protocol;
    this.status = status;
    this.contentLength = contentLength;
    this.isGrpc = isGrpc;
    this.teTrailers = teTrailers;
    this.grpcTimeout = grpcTimeout;
    this.grpcStatus = grpcStatus;
    this.seen = seen;
    this.anyError = anyError;
  }

  /** `FieldError`: what is wrong with the list as a request, 0 when it is a valid one. */
  get requestError(): number {
    if (this.requestVerdict < 0) this.requestVerdict = requestErrorOf(this);
    return this.requestVerdict;
  }

  get responseError(): number {
    if (this.responseVerdict < 0) this.responseVerdict = responseErrorOf(this);
    return this.responseVerdict;
  }

  get trailersError(): number {
    if (this.trailersVerdict < 0) this.trailersVerdict = trailersErrorOf(this);
    return this.trailersVerdict;
  }

  /** The first value of that name. */
  get(name: string): string | undefined {
    const fields = this.fields;
    for (let i = 0; i < fields.length; i++) {
      if (fields[i]!.name === name) return fields[i]!.value;
    }
    return undefined;
  }

  /** A list of our own; names in lower case. */
  static of(pairs: readonly (readonly [name: string, value: string])[]): HeaderList {
    return listOf(pairs.map(([name, value]) => fieldOf(name, value)));
  }

  /** A copy with fields replaced (all of that name become one, in the place of the first; new ones at the end) and removed. */
  with(changes: HeaderChanges): HeaderList {
    const set = changes.set ?? [];
    const remove = changes.remove ?? [];
    const pending: (Field | null)[] = set.map(([name, value]) => fieldOf(name, value));
    const fields: Field[] = [];
    for (const field of this.fields) {
      if (remove.includes(field.name)) continue;
      const at = set.findIndex(([name]) => name === field.name);
      if (at < 0) {
        fields.push(field);
        continue;
      }
      const replacement = pending[at];
      if (replacement) fields.push(replacement);
      pending[at] = null;
    }
    for (const field of pending) {
      if (field === null || field === undefined) continue;
      // Pseudo-header fields come before the others (RFC 9113 §8.3).
      if (field.name.startsWith(':')) fields.unshift(field);
      else fields.push(field);
    }
    return listOf(fields);
  }
}

/** A list of these fields, in this order. */
export function listOf(fields: readonly Field[]): HeaderList {
  let bytes = 0;
  for (const field of fields) bytes += field.bytes;
  return new HeaderList(fields, bytes, false);
}
