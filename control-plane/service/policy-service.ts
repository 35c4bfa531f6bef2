/**
 * Create, read, replace and delete policies. A write is one compare-and-set of the document; its numbered revision, the
 * target's bundle and the audit entry follow from it, and what a crash leaves undone of those, `reconcile` does.
 */
import type { Log } from '../../proto/kernel/log-format.ts';
import { parsePolicyJson } from '../../proto/policy/parse.ts';
import { namespaceOf, type TrafficPolicy } from '../../proto/policy/schema.ts';
import { keys, parseServiceKey, streams } from '../../proto/subjects.ts';
import {
  checkIfMatch,
  createRevision,
  deleteRevision,
  type Revision,
  updateRevision,
  withResourceVersion,
} from '../policy/revisions.ts';
import type { Audit } from './audit.ts';
import { policyBytesMax } from './buckets.ts';
import type { BundlePublisher } from './bundle-publisher.ts';
import { type Bus, isConflict } from './bus.ts';
import type { Clock } from './clock.ts';
import { attempt, type Outcome } from './outcomes.ts';
import { type StoredDocument, targetOf } from './policy-records.ts';
import type { PolicyStore } from './policy-store.ts';

export const policiesPerNamespaceMax = 1_000;
export const policiesMax = 20_000;
/** Older revisions of a document are removed. */
export const revisionsMax = 100;
const wholeEveryMs = 30_000;

export interface PolicyServiceOptions {
  readonly store: PolicyStore;
  readonly publisher: BundlePublisher;
  readonly bus: Bus;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly log: Log;
}

export interface WriteOptions {
  readonly namespace: string;
  readonly by: string;
  /** Kept with the revision. */
  readonly reason?: string | undefined;
  /** Everything is checked, nothing is written. */
  readonly dryRun: boolean;
}

export type Written = Outcome<{ readonly policy: TrafficPolicy }>;

export class PolicyService {
  private readonly options: PolicyServiceOptions;
  private readonly store: PolicyStore;
  private wholeAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: PolicyServiceOptions) {
    this.options = options;
    this.store = options.store;
  }

  /** Whether answers may be behind the store; they are still the last that was known. */
  isStale(): boolean {
    return !this.options.bus.isConnected();
  }

  isLoaded(): boolean {
    return this.store.isLoaded();
  }

  isWritable(): boolean {
    return !this.isStale() && this.isLoaded();
  }

  /** Sorted by name. */
  list(namespace?: string): TrafficPolicy[] {
    const found: TrafficPolicy[] = [];
    for (const stored of this.store.documents.values()) {
      const policy = shown(stored);
      if (policy && (namespace === undefined || namespaceOf(policy) === namespace)) found.push(policy);
    }
    const key = (policy: TrafficPolicy): string => `${namespaceOf(policy)}/${policy.metadata.name}`;
    return found.sort((a, b) => (key(a) < key(b) ? -1 : 1));
  }

  get(namespace: string, name: string): TrafficPolicy | undefined {
    const stored = this.store.documents.get(`${namespace}/${name}`);
    return stored && shown(stored);
  }

  async create(document: unknown, { namespace, by, reason, dryRun }: WriteOptions): Promise<Written> {
    const parsed = parsePolicyJson(document, { namespace });
    if (!parsed.ok) return { kind: 'invalid', errors: parsed.errors };
    const { name } = parsed.policy.metadata;
    return this.write(async () => {
      const known = await this.store.fresh(namespace, name);
      const current = known && shown(known);
      if (current) return { kind: 'exists', current };
      const full = this.fullness(namespace);
      if (full) return { kind: 'full', detail: full };
      const lastRevision = known?.revision.revision ?? 0;
      const revision = createRevision(parsed.policy, { wallMs: this.options.clock.wallMs(), by, reason, lastRevision });
      try {
        return await this.commit(namespace, name, revision, known, dryRun);
      } catch (error) {
        if (!isConflict(error)) throw error;
        const winner = await this.store.fresh(namespace, name);
        const policy = winner && shown(winner);
        return policy ? { kind: 'exists', current: policy } : { kind: 'stale', current: null };
      }
    });
  }

  async replace(
    document: unknown,
    name: string,
    ifMatch: string | undefined,
    { namespace, by, reason, dryRun }: WriteOptions,
  ): Promise<Written> {
    const parsed = parsePolicyJson(document, { namespace, name });
    if (!parsed.ok) return { kind: 'invalid', errors: parsed.errors };
    return this.writeOver(namespace, name, ifMatch, async (known, current) => {
      const facts = { wallMs: this.options.clock.wallMs(), by, reason, lastRevision: known.revision.revision };
      const revision = updateRevision(current, parsed.policy, facts);
      if (!revision) return { kind: 'ok', policy: current };
      return this.commit(namespace, name, revision, known, dryRun);
    });
  }

  async remove(
    name: string,
    ifMatch: string | undefined,
    { namespace, by, reason, dryRun }: WriteOptions,
  ): Promise<Written> {
    return this.writeOver(namespace, name, ifMatch, async (known, current) => {
      const facts = { wallMs: this.options.clock.wallMs(), by, reason, lastRevision: known.revision.revision };
      await this.commit(namespace, name, deleteRevision(facts), known, dryRun);
      return { kind: 'ok', policy: current };
    });
  }

  /**
   * Makes whole what should follow from the documents: at start, at every reconnect and every few seconds. When nothing
   * changed since the last time it only asks the bucket for its sequence number, except now and then.
   */
  async reconcile(): Promise<void> {
    const nowMs = this.options.clock.nowMs();
    const changed = await this.store.sync();
    if (!changed && nowMs - this.wholeAtMs < wholeEveryMs) return;
    await this.options.publisher.publishAll((target) => this.publish(target));
    const kept = new Set(await this.store.bucket.keys('rev'));
    for (const [policy, { revision }] of this.store.documents) {
      const [namespace = '', name = ''] = policy.split('/');
      if (!kept.has(keys.revision(namespace, name, revision.revision)))
        await this.keepRevision(namespace, name, revision);
    }
    this.wholeAtMs = nowMs;
  }

  /** Publishes the target's bundle if it is not what the documents say. */
  async publish(target: string): Promise<void> {
    const bundle = await this.options.publisher.publish(target);
    if (!bundle) return;
    const { version, hash } = bundle;
    this.options.log.info('bundle published', { target, version, hash });
  }

  private async writeOver(
    namespace: string,
    name: string,
    ifMatch: string | undefined,
    operation: (known: StoredDocument, current: TrafficPolicy) => Promise<Written>,
  ): Promise<Written> {
    return this.write(async () => {
      const known = await this.store.fresh(namespace, name);
      const current = known && shown(known);
      if (!known || !current) return { kind: 'absent', detail: `there is no policy ${namespace}/${name}` };
      const precondition = checkIfMatch(ifMatch, String(known.kvRevision));
      if (precondition === 'missing') return { kind: 'unconditional', current };
      if (precondition === 'stale') return { kind: 'stale', current };
      try {
        return await operation(known, current);
      } catch (error) {
        if (!isConflict(error)) throw error;
        const winner = await this.store.fresh(namespace, name);
        return { kind: 'stale', current: (winner && shown(winner)) ?? null };
      }
    });
  }

  private write(operation: () => Promise<Written>): Promise<Written> {
    return attempt(this.isWritable(), operation);
  }

  /** The commit point, and then what follows from it. */
  private async commit(
    namespace: string,
    name: string,
    revision: Revision,
    known: StoredDocument | undefined,
    dryRun: boolean,
  ): Promise<Written> {
    const value = JSON.stringify(revision);
    if (value.length > policyBytesMax / 4) {
      return { kind: 'invalid', errors: [{ pointer: '', message: `is larger than ${policyBytesMax / 4} bytes` }] };
    }
    if (dryRun) {
      const policy = revision.policy ?? known?.revision.policy;
      return policy ? { kind: 'ok', policy } : { kind: 'absent', detail: 'there is nothing to delete' };
    }
    const { bucket } = this.store;
    const key = keys.document(namespace, name);
    const kvRevision = known ? await bucket.update(key, value, known.kvRevision) : await bucket.create(key, value);
    this.store.remember(`${namespace}/${name}`, revision, kvRevision);
    await this.afterCommit(namespace, name, revision, known);
    const policy = revision.policy ?? known?.revision.policy;
    if (!policy) return { kind: 'absent', detail: 'there is nothing to delete' };
    return { kind: 'ok', policy: withResourceVersion(policy, String(kvRevision)) };
  }

  /** The write stands whatever happens here: what fails is done by `reconcile`. */
  private async afterCommit(
    namespace: string,
    name: string,
    revision: Revision,
    known: StoredDocument | undefined,
  ): Promise<void> {
    const targets = new Set(
      [revision.policy, known?.revision.policy].flatMap((policy) => (policy ? [targetOf(policy)] : [])),
    );
    const followed = await Promise.allSettled([
      this.keepRevision(namespace, name, revision),
      ...[...targets].map((target) => this.publish(target)),
    ]);
    for (const result of followed) {
      if (result.status === 'rejected')
        this.options.log.warn('to be reconciled', { policy: `${namespace}/${name}`, error: result.reason });
    }
    this.audit(namespace, name, revision, [...targets]);
  }

  private async keepRevision(namespace: string, name: string, revision: Revision): Promise<void> {
    await this.store.bucket.put(keys.revision(namespace, name, revision.revision), JSON.stringify(revision));
    const outdated = revision.revision - revisionsMax;
    if (outdated > 0) await this.store.bucket.purge(keys.revision(namespace, name, outdated));
  }

  private audit(namespace: string, name: string, revision: Revision, targets: readonly string[]): void {
    const service = parseServiceKey(targets[0] ?? `${namespace}/${name}`);
    if (!service) return;
    const { policy: _document, ...facts } = revision;
    const entry = { v: 1, kind: 'policy', policy: `${namespace}/${name}`, ...facts, targets };
    this.options.audit.record(streams.event('policy', service), entry);
  }

  private fullness(namespace: string): string | undefined {
    let inNamespace = 0;
    let all = 0;
    for (const [name, { revision }] of this.store.documents) {
      if (!revision.policy) continue;
      all++;
      if (name.startsWith(`${namespace}/`)) inNamespace++;
    }
    if (inNamespace >= policiesPerNamespaceMax)
      return `the namespace ${namespace} has ${inNamespace} policies, the most that are allowed`;
    return all >= policiesMax ? `there are ${all} policies, the most that are allowed` : undefined;
  }
}

function shown({ revision, kvRevision }: StoredDocument): TrafficPolicy | undefined {
  return revision.policy ? withResourceVersion(revision.policy, String(kvRevision)) : undefined;
}
