/**
 * What a policy was: its revisions, what differs between two of them, and the way back. Going back is a write like any
 * other, of what an older revision said; nothing in the history is ever taken out of it.
 */
import type { TrafficPolicy } from '../../proto/policy/schema.ts';
import { keys } from '../../proto/subjects.ts';
import { type Change, changesBetween, type Revision, summaryOf } from '../policy/revisions.ts';
import { attempt, type Outcome } from './outcomes.ts';
import { readRevision } from './policy-records.ts';
import type { PolicyService, WriteOptions, Written } from './policy-service.ts';
import type { PolicyStore } from './policy-store.ts';

export interface RevisionDiff {
  readonly from: number;
  readonly to: number;
  readonly summary: string;
  readonly changes: readonly Change[];
}

type One = Outcome<{ readonly revision: Revision }>;

export class PolicyHistory {
  private readonly store: PolicyStore;
  private readonly policies: PolicyService;

  constructor(store: PolicyStore, policies: PolicyService) {
    this.store = store;
    this.policies = policies;
  }

  /** Newest first; also of a policy that was deleted. */
  async revisions(namespace: string, name: string): Promise<Outcome<{ readonly revisions: Revision[] }>> {
    return attempt<{ readonly revisions: Revision[] }>(this.policies.isWritable(), async () => {
      const entries = await this.store.bucket.list(`rev.${namespace}.${name}`);
      const revisions = entries.flatMap(({ value }) => {
        const read = readRevision(value);
        return read.ok ? [read.revision] : [];
      });
      const newest = await this.store.fresh(namespace, name);
      if (newest && !revisions.some(({ revision }) => revision === newest.revision.revision))
        revisions.push(newest.revision);
      if (revisions.length === 0) return { kind: 'absent', detail: `there is no policy ${namespace}/${name}` };
      return { kind: 'ok', revisions: revisions.sort((a, b) => b.revision - a.revision) };
    });
  }

  async revision(namespace: string, name: string, number: number): Promise<One> {
    return attempt<{ readonly revision: Revision }>(this.policies.isWritable(), async () => {
      const newest = await this.store.fresh(namespace, name);
      if (newest?.revision.revision === number) return { kind: 'ok', revision: newest.revision };
      const entry = await this.store.bucket.get(keys.revision(namespace, name, number));
      const read = entry && readRevision(entry.value);
      if (read?.ok) return { kind: 'ok', revision: read.revision };
      return { kind: 'absent', detail: `there is no revision ${number} of ${namespace}/${name}` };
    });
  }

  async diff(namespace: string, name: string, from: number, to: number): Promise<Outcome<RevisionDiff>> {
    const [before, after] = await Promise.all([
      this.revision(namespace, name, from),
      this.revision(namespace, name, to),
    ]);
    if (before.kind !== 'ok') return before;
    if (after.kind !== 'ok') return after;
    return { kind: 'ok', from, to, ...differing(before.revision.policy, after.revision.policy) };
  }

  /** A new revision that says what an older one said; also of a policy that was deleted since. */
  async rollback(name: string, to: number, ifMatch: string | undefined, options: WriteOptions): Promise<Written> {
    const { namespace } = options;
    const found = await this.revision(namespace, name, to);
    if (found.kind !== 'ok') return found;
    const { policy } = found.revision;
    if (!policy) return { kind: 'inapplicable', detail: `revision ${to} is a deletion: there is nothing in it` };
    const reason = options.reason ?? `rollback to revision ${to}`;
    const document = withoutServerFields(policy);
    return this.policies.get(namespace, name)
      ? this.policies.replace(document, name, ifMatch, { ...options, reason })
      : this.policies.create(document, { ...options, reason });
  }
}

function differing(
  before: TrafficPolicy | null,
  after: TrafficPolicy | null,
): { readonly summary: string; readonly changes: readonly Change[] } {
  if (before && after) {
    const changes = changesBetween(before, after);
    return { summary: changes.length === 0 ? 'nothing' : summaryOf(changes), changes };
  }
  const changes = before === after ? [] : [{ pointer: '/spec', before: before?.spec, after: after?.spec }];
  return { summary: before ? 'deleted' : after ? 'created' : 'nothing', changes };
}

function withoutServerFields({ metadata: { name, namespace, labels }, ...policy }: TrafficPolicy): TrafficPolicy {
  return { ...policy, metadata: { name, ...(namespace && { namespace }), ...(labels && { labels }) } };
}
