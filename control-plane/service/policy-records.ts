/**
 * How policies are kept in the bucket. `doc.<ns>.<name>` holds the newest revision of a document, also when that is its
 * deletion, so that one compare-and-set both commits a write and numbers it; `rev.<ns>.<name>.<n>` holds each revision
 * for good; `ro.<ns>.<name>` the newest rollout of a policy; `svc.<ns>.<svc>` the bundle that follows from documents and
 * rollouts. Whatever a crash leaves undone after the first write can be done again from it.
 */
import { type Bundle, parseBundle } from '../../proto/policy/bundle.ts';
import { parsePolicyJson } from '../../proto/policy/parse.ts';
import { isRecord, member } from '../../proto/policy/problems.ts';
import { type TrafficPolicy, targetOf } from '../../proto/policy/schema.ts';
import type { Revision } from '../policy/revisions.ts';
import type { Rollout } from '../policy/rollout.ts';

export interface StoredDocument {
  readonly revision: Revision;
  /** The bucket's revision, which is the document's resourceVersion. */
  readonly kvRevision: number;
}

export interface StoredRollout {
  readonly rollout: Rollout;
  readonly kvRevision: number;
}

export interface StoredBundle {
  /** null when what is there cannot be read. */
  readonly bundle: Bundle | null;
  readonly kvRevision: number;
}

const text = new TextDecoder();

export function readJson(value: Uint8Array): unknown {
  try {
    return JSON.parse(text.decode(value));
  } catch {
    return undefined;
  }
}

export type ReadRevision =
  | { readonly ok: true; readonly revision: Revision }
  /** A newer version's document: its target, as far as it can be read, must be left as it is. */
  | { readonly ok: false; readonly target: string | undefined };

export function readRevision(value: Uint8Array): ReadRevision {
  const stored = readJson(value);
  const policy = member(stored, 'policy');
  const header = readHeader(stored);
  if (header && policy === null) return { ok: true, revision: { ...header, policy: null } };
  const parsed = parsePolicyJson(policy);
  if (header && parsed.ok) return { ok: true, revision: { ...header, policy: parsed.policy } };
  return { ok: false, target: targetRoughly(policy) };
}

function readHeader(stored: unknown): Omit<Revision, 'policy'> | undefined {
  const revision = member(stored, 'revision');
  const action = member(stored, 'action');
  if (typeof revision !== 'number' || (action !== 'create' && action !== 'update' && action !== 'delete'))
    return undefined;
  const text = (field: string): string => textOf(stored, field);
  return { revision, action, at: text('at'), by: text('by'), summary: text('summary'), reason: text('reason') };
}

function textOf(stored: unknown, field: string): string {
  const value = member(stored, field);
  return typeof value === 'string' ? value : '';
}

function targetRoughly(policy: unknown): string | undefined {
  const namespace = member(member(policy, 'metadata'), 'namespace');
  const service = member(member(member(policy, 'spec'), 'target'), 'service');
  return typeof namespace === 'string' && typeof service === 'string' ? `${namespace}/${service}` : undefined;
}

export function readBundle(value: Uint8Array): Bundle | null {
  const stored = readJson(value);
  if (!isRecord(stored)) return null;
  const parsed = parseBundle(stored);
  return parsed.ok ? parsed.bundle : null;
}

/** `doc.shop.payments` → `shop/payments`, for keys of three tokens. */
export function nameOfKey(key: string): string | undefined {
  const [, namespace, name, ...more] = key.split('.');
  return namespace !== undefined && name !== undefined && more.length === 0 ? `${namespace}/${name}` : undefined;
}

export function policyNameOf(policy: TrafficPolicy): string {
  return `${policy.metadata.namespace ?? 'default'}/${policy.metadata.name}`;
}

export { targetOf };
