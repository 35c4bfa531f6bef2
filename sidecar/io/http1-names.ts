/**
 * Field names as they stand on the wire, mapped to what we know of them: senders spell a name the same way every time,
 * so the lower-case form and the verdict on it are looked up instead of made. The table is bounded, since strangers
 * choose the names.
 */
import { FieldName, fieldNameId } from '../http2/hpack/field-name.ts';

export const namesMax = 1024;

export const Scope = {
  /** Goes from end to end. */
  endToEnd: 0,
  /** Belongs to one connection (RFC 9110 §7.6.1). */
  hop: 1,
  /** Of this connection too, but it means something to us: TE, Host, Connection, Transfer-Encoding, Upgrade. */
  ours: 2,
} as const;

export interface WireName {
  readonly name: string;
  readonly id: number;
  /** `Scope`. */
  readonly scope: number;
}

const scopes: ReadonlyMap<string, number> = new Map<string, number>([
  ['keep-alive', Scope.hop],
  ['proxy-connection', Scope.hop],
  ['http2-settings', Scope.hop],
  ['connection', Scope.ours],
  ['transfer-encoding', Scope.ours],
  ['upgrade', Scope.ours],
  ['te', Scope.ours],
  ['host', Scope.ours],
]);

const known = new Map<string, WireName>();

export function wireName(raw: string): WireName {
  let entry = known.get(raw);
  if (entry === undefined) {
    if (known.size >= namesMax) known.clear();
    const name = raw.toLowerCase();
    // A pseudo-header's name is none here: ":path: /x" is refused as a name with a colon, by node and by us.
    const id = name.startsWith(':') ? FieldName.unknown : fieldNameId(name);
    entry = { name, id, scope: scopes.get(name) ?? Scope.endToEnd };
    known.set(raw, entry);
  }
  return entry;
}

/** Whether a field of this name stays on its side of the proxy; `name` in lower case. */
export function isHopByHop(name: string): boolean {
  return scopes.has(name);
}
