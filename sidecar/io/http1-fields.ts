/**
 * Fields of HTTP/1.1 messages to our own lists. What belongs to one connection stays behind, also what the message's own
 * Connection field names (RFC 9110 §7.6.1); what frames the message is looked at by whoever calls, in `Framing`.
 */
import { type Field, HeaderList, makeField } from '../http2/hpack/field.ts';
import { FieldName } from '../http2/hpack/field-name.ts';
import { textClasses } from '../http2/validate.ts';
import { Scope, wireName } from './http1-names.ts';

/** What a message says about its connection and its form. */
export class Framing {
  hosts = 0;
  host = '';
  /** `chunked` came, alone and once: the only transfer coding that we take off and put on again. */
  isChunked = false;
  /** Any other Transfer-Encoding: what it means depends on who reads it. */
  isAmbiguous = false;
  /** `Upgrade`'s value, '' without one. */
  upgrade = '';
  /** Names in Connection other than `close` and `keep-alive`, in lower case. */
  named: string[] | null = null;
  teTrailers = false;
}

export function field(name: string, id: number, value: string): Field {
  return makeField(id, name, value, textClasses(value), false, false);
}

export function listOf(fields: readonly Field[]): HeaderList {
  let bytes = 0;
  for (let i = 0; i < fields.length; i++) bytes += fields[i]!.bytes;
  return new HeaderList(fields, bytes, false);
}

/** Reads `[name, value, name, value, …]` as node gives it: the connection's own fields into `framing`, the rest into `fields`. */
export function readFields(raw: readonly string[], fields: Field[], framing: Framing): void {
  const from = fields.length;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const { name, id, scope } = wireName(raw[i]!);
    if (scope === Scope.endToEnd) fields.push(field(name, id, raw[i + 1]!));
    else if (scope === Scope.ours) readOwn(name, raw[i + 1]!, framing);
  }
  const { named } = framing;
  if (named === null) return;
  let kept = from;
  for (let i = from; i < fields.length; i++) {
    const entry = fields[i]!;
    // A caller must not be able to take away what frames the message.
    if (named.includes(entry.name) && entry.id !== FieldName.contentLength) continue;
    fields[kept++] = entry;
  }
  fields.length = kept;
}

function readOwn(name: string, value: string, framing: Framing): void {
  switch (name) {
    case 'host':
      framing.hosts++;
      framing.host = value;
      return;
    case 'transfer-encoding':
      if (framing.isChunked || value.toLowerCase() !== 'chunked') framing.isAmbiguous = true;
      framing.isChunked = true;
      return;
    case 'upgrade':
      framing.upgrade = framing.upgrade === '' ? value : `${framing.upgrade}, ${value}`;
      return;
    case 'te':
      if (/(^|[,\s])trailers\s*(,|$)/i.test(value)) framing.teTrailers = true;
      return;
    default:
      readConnection(value, framing);
  }
}

function readConnection(value: string, framing: Framing): void {
  if (value === 'keep-alive' || value === 'close') return;
  for (const part of value.split(',')) {
    const token = part.trim().toLowerCase();
    if (token === '' || token === 'keep-alive' || token === 'close') continue;
    framing.named ??= [];
    framing.named.push(token);
  }
}
