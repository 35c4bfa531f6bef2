/**
 * The life of a policy document as numbers. A *revision* is one immutable version of a document and counts every write
 * of it, also across deletion, so that no revision is ever written over. The *generation* counts changes of spec only:
 * a new label is no new behaviour. The *resourceVersion* is the store's own sequence number, and what `If-Match` names.
 */
import { canonicalJson } from '../../proto/policy/canonical-json.ts';
import { childPointer, isRecord, show } from '../../proto/policy/problems.ts';
import { namespaceOf, type PolicySpec, type TrafficPolicy } from '../../proto/policy/schema.ts';

export type RevisionAction = 'create' | 'update' | 'delete';

/** One entry of a document's history. */
export interface Revision {
  readonly revision: number;
  readonly action: RevisionAction;
  /** RFC 3339, UTC. */
  readonly at: string;
  /** Who wrote it, as far as the API knows. */
  readonly by: string;
  /** One line for people: what is different from the revision before. */
  readonly summary: string;
  /** What the writer said about it; '' = nothing. */
  readonly reason: string;
  /** null after a deletion. */
  readonly policy: TrafficPolicy | null;
}

export interface WriteFacts {
  readonly wallMs: number;
  readonly by: string;
  readonly reason?: string | undefined;
  /** Of the newest revision of this name, deleted ones included; 0 when there is none. */
  readonly lastRevision: number;
}

/** The first document of a name, or the first after a deletion. Server-owned fields of the input do not count. */
export function createRevision(written: TrafficPolicy, facts: WriteFacts): Revision {
  const head = headOf('create', facts);
  const policy = owned(written, { generation: 1, creationTimestamp: head.at });
  return { ...head, summary: 'created', policy };
}

/** null when the write changes nothing: no revision, no new bundle, no event. */
export function updateRevision(current: TrafficPolicy, written: TrafficPolicy, facts: WriteFacts): Revision | null {
  const changes = changesBetween(current, written);
  if (changes.length === 0 && canonicalJson(current.spec) === canonicalJson(written.spec)) return null;
  const head = headOf('update', facts);
  const specChanged = canonicalJson(current.spec) !== canonicalJson(written.spec);
  const policy = owned(written, {
    generation: (current.metadata.generation ?? 0) + (specChanged ? 1 : 0),
    creationTimestamp: current.metadata.creationTimestamp ?? head.at,
  });
  return { ...head, summary: summaryOf(changes), policy };
}

export function deleteRevision(facts: WriteFacts): Revision {
  return { ...headOf('delete', facts), summary: 'deleted', policy: null };
}

function headOf(action: RevisionAction, { wallMs, by, reason = '', lastRevision }: WriteFacts) {
  return { revision: lastRevision + 1, action, at: timestamp(wallMs), by, reason };
}

/** The document as the API shows it. The store's number is added on reading: while writing, nobody knows it yet. */
export function withResourceVersion(policy: TrafficPolicy, resourceVersion: string): TrafficPolicy {
  return { ...policy, metadata: { ...policy.metadata, resourceVersion } };
}

function owned(written: TrafficPolicy, fields: { generation: number; creationTimestamp: string }): TrafficPolicy {
  const { name, labels } = written.metadata;
  return {
    apiVersion: written.apiVersion,
    kind: written.kind,
    metadata: { name, namespace: namespaceOf(written), ...(labels && { labels }), ...fields },
    spec: written.spec,
  };
}

function timestamp(wallMs: number): string {
  return new Date(wallMs).toISOString();
}

/** A strong entity tag (RFC 9110 §8.8.3). */
export function entityTag(resourceVersion: string): string {
  return `"${resourceVersion}"`;
}

export type Precondition = 'met' | 'missing' | 'stale';

/** If-Match against the current document: missing → 428, stale → 412. `*` meets any that exists; weak tags meet none. */
export function checkIfMatch(header: string | undefined, resourceVersion: string): Precondition {
  const tags = (header ?? '').split(',').map((tag) => tag.trim());
  if (tags.every((tag) => tag === '')) return 'missing';
  return tags.some((tag) => tag === '*' || tag === entityTag(resourceVersion)) ? 'met' : 'stale';
}

/** One difference; undefined: the field was not there, or is gone. */
export interface Change {
  readonly pointer: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** What differs between two versions of a document, labels and spec only, field by field in the order of the schema. */
export function changesBetween(before: TrafficPolicy, after: TrafficPolicy): Change[] {
  return [
    ...differences('/metadata/labels', before.metadata.labels, after.metadata.labels),
    ...differences('/spec', comparable(before.spec), comparable(after.spec)),
  ];
}

/** Rate limits are told apart by name, so that inserting one does not change all that follow. */
function comparable(spec: PolicySpec): unknown {
  const limits = spec.inbound?.rateLimits;
  if (!limits) return spec;
  return {
    ...spec,
    inbound: { ...spec.inbound, rateLimits: Object.fromEntries(limits.map((one) => [one.name, one])) },
  };
}

function differences(pointer: string, before: unknown, after: unknown): Change[] {
  if (isRecord(before) && isRecord(after)) {
    const names = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...names].flatMap((name) => differences(childPointer(pointer, name), before[name], after[name]));
  }
  if (before === undefined && after === undefined) return [];
  if (before !== undefined && after !== undefined && canonicalJson(before) === canonicalJson(after)) return [];
  return [{ pointer, before, after }];
}

const changesShown = 3;

/** `inbound.rateLimits.total.rate "500/s" → "300/s", inbound.queue added` */
export function summaryOf(changes: readonly Change[]): string {
  if (changes.length === 0) return 'rate limits reordered';
  const words = changes.slice(0, changesShown).map(({ pointer, before, after }) => {
    const field = pointer.replace(/^\/(spec|metadata)\//, '').replaceAll('/', '.');
    if (before === undefined) return isRecord(after) ? `${field} added` : `${field} set to ${show(after)}`;
    if (after === undefined) return `${field} removed`;
    return `${field} ${show(before)} → ${show(after)}`;
  });
  const more = changes.length - changesShown;
  return more > 0 ? `${words.join(', ')} and ${more} more` : words.join(', ');
}
