/**
 * An access token: `weir_<id>_<secret>`. The id finds its record, the secret is 256 random bits of which only the SHA-256
 * is kept; a secret of that size needs no slow hash. Whoever reads the store learns who has access, and gets none.
 */
import { isRecord } from '../../proto/policy/problems.ts';
import { type Role, roleOf } from './roles.ts';

export interface TokenRecord {
  readonly v: number;
  readonly id: string;
  /** Who has it, in the words of who made it. */
  readonly name: string;
  readonly role: Role;
  /** SHA-256 of the whole token, in hex. */
  readonly hash: string;
  readonly by: string;
  /** Wall time. */
  readonly createdMs: number;
  readonly expiresMs: number;
}

const form = /^weir_([0-9a-f]{12})_[A-Za-z0-9_-]{43}$/;

/** The id of what looks like one of ours. */
export function tokenIdOf(token: string): string | undefined {
  return form.exec(token)?.[1];
}

export function isValidNow({ createdMs, expiresMs }: TokenRecord, wallMs: number): boolean {
  // A clock that is a little behind the one that made it must not refuse it.
  return wallMs < expiresMs && wallMs > createdMs - clockSkewMs;
}

const clockSkewMs = 300_000;

/** In a time that does not tell where the first difference lies. */
export function isSameHash(left: string, right: string): boolean {
  let difference = left.length ^ right.length;
  for (let i = 0; i < right.length; i++) difference |= (left.charCodeAt(i) || 0) ^ right.charCodeAt(i);
  return difference === 0;
}

export function readTokenRecord(value: unknown): TokenRecord | undefined {
  if (!isRecord(value)) return undefined;
  const { id, name, hash, by, createdMs, expiresMs } = value;
  const role = roleOf(value.role);
  if (typeof id !== 'string' || typeof name !== 'string' || typeof hash !== 'string' || role === undefined)
    return undefined;
  if (typeof createdMs !== 'number' || typeof expiresMs !== 'number' || hash.length !== 64) return undefined;
  return { v: 1, id, name, role, hash, by: typeof by === 'string' ? by : '', createdMs, expiresMs };
}
