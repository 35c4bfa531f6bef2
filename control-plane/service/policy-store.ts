/**
 * The policies of the mesh in memory, kept equal to the bucket. Changes, our own and those of other control planes,
 * arrive as the bucket's republished entries, which may be lost; so `sync`, called every few seconds and at every
 * reconnect, compares sequence numbers and loads again what was missed.
 *
 * A bucket that was created anew (another creation time) is another epoch: what we remember is written into it, unless
 * it has something under that key already, and all bundles are published again.
 */
import type { Log } from '../../proto/kernel/log-format.ts';
import { type Bundle, formatEpoch } from '../../proto/policy/bundle.ts';
import { keys, parseServiceKey } from '../../proto/subjects.ts';
import type { RevisedPolicy } from '../policy/resolve.ts';
import type { Revision } from '../policy/revisions.ts';
import { isActive, type Rollout } from '../policy/rollout.ts';
import { readRollout } from '../policy/rollout-record.ts';
import { policyBucket } from './buckets.ts';
import type { Bucket, Bus, BusMessage } from './bus.ts';
import { isConflict } from './bus.ts';
import {
  nameOfKey,
  readBundle,
  readJson,
  readRevision,
  type StoredBundle,
  type StoredDocument,
  type StoredRollout,
  targetOf,
} from './policy-records.ts';

/** The republished prefix of every key of the bucket. */
const subjectPrefix = 'weir.pol.';

export interface PolicyStoreOptions {
  readonly bus: Bus;
  readonly replicas: number;
  readonly log: Log;
  /** A bundle that was not known, whoever published it. */
  readonly onBundle: (bundle: Bundle) => void;
}

export class PolicyStore {
  private readonly watchers = new Set<() => void>();
  /** By `<ns>/<name>`; deleted ones stay as their last revision, so that numbers are never used twice. */
  readonly documents = new Map<string, StoredDocument>();
  /** The newest of each policy, by `<ns>/<name>`; also those that are over. */
  readonly rollouts = new Map<string, StoredRollout>();
  /** By target. */
  readonly bundles = new Map<string, StoredBundle>();
  readonly bucket: Bucket;
  /** Documents that a newer version wrote and we cannot read, by name: their targets are left alone. */
  private readonly unreadable = new Map<string, string | undefined>();
  private readonly options: PolicyStoreOptions;
  private createdMs = 0;
  private sequence = -1;

  constructor(options: PolicyStoreOptions) {
    this.options = options;
    this.bucket = options.bus.bucket(policyBucket(options.replicas).name);
  }

  /** Called at every change of a document or a rollout; whoever is called spaces out what it does. */
  onChange(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  /** '' until the bucket was seen. */
  get epoch(): string {
    return this.createdMs === 0 ? '' : formatEpoch(this.createdMs);
  }

  isLoaded(): boolean {
    return this.sequence >= 0;
  }

  mayPublish(target: string): boolean {
    return ![...this.unreadable.values()].some((blocked) => blocked === undefined || blocked === target);
  }

  /** Brings memory and bucket together; false when they were. Throws BusError when the bucket does not answer. */
  async sync(): Promise<boolean> {
    const { bus, replicas, log } = this.options;
    const state = (await this.bucket.state()) ?? (await bus.ensureBucket(policyBucket(replicas)));
    if (state.createdMs !== this.createdMs) {
      // Settings may have changed since it was made, also when we did not make it.
      await bus.ensureBucket(policyBucket(replicas));
      const isAnother = this.createdMs !== 0;
      this.createdMs = state.createdMs;
      this.sequence = -1;
      if (isAnother) {
        log.warn('the policy bucket is a new one: writing into it what is known', { documents: this.documents.size });
        await this.restore();
      }
      await this.load();
      return true;
    }
    if (state.lastSequence === this.sequence) return false;
    await this.load();
    return true;
  }

  /** A republished entry. Answers the document's target when what is in force for it may have changed. */
  onMessage(message: BusMessage): string | undefined {
    const { sequence } = message;
    if (sequence === 0 || !message.subject.startsWith(subjectPrefix) || !this.isLoaded()) return undefined;
    if (sequence === this.sequence + 1) this.sequence = sequence;
    const key = message.subject.slice(subjectPrefix.length);
    const name = nameOfKey(key);
    if (name === undefined || message.deleted) return undefined;
    if (key.startsWith('svc.')) this.takeBundle(name, message.data, sequence);
    if (key.startsWith('ro.')) return this.takeRollout(name, message.data, sequence);
    if (!key.startsWith('doc.')) return undefined;
    const before = this.documents.get(name)?.revision.policy;
    if (!this.takeDocument(name, message.data, sequence)) return undefined;
    const after = this.documents.get(name)?.revision.policy;
    return after ? targetOf(after) : before ? targetOf(before) : undefined;
  }

  documentsAbout(target: string): RevisedPolicy[] {
    return [...this.documents.values()].flatMap(({ revision: { policy, revision } }) =>
      policy && targetOf(policy) === target ? [{ policy, revision }] : [],
    );
  }

  /** Whether a rollout is active and its document has not been written since it began. */
  isInForce(rollout: Rollout): boolean {
    return isActive(rollout) && this.lastRevision(rollout.policy) === rollout.baseRevision;
  }

  /** 0: there never was one. */
  lastRevision(name: string): number {
    return this.documents.get(name)?.revision.revision ?? 0;
  }

  /** What we just wrote ourselves. */
  remember(name: string, revision: Revision, kvRevision: number): void {
    if (kvRevision <= (this.documents.get(name)?.kvRevision ?? 0)) return;
    this.documents.set(name, { revision, kvRevision });
    this.changed();
  }

  rememberRollout(name: string, rollout: Rollout, kvRevision: number): void {
    if (kvRevision <= (this.rollouts.get(name)?.kvRevision ?? 0)) return;
    this.rollouts.set(name, { rollout, kvRevision });
    this.changed();
  }

  rememberBundle(target: string, stored: StoredBundle): void {
    if (stored.kvRevision <= (this.bundles.get(target)?.kvRevision ?? 0)) return;
    this.bundles.set(target, stored);
    if (stored.bundle) this.options.onBundle(stored.bundle);
  }

  /** The document as the bucket has it now, not as we last heard of it. */
  async fresh(namespace: string, name: string): Promise<StoredDocument | undefined> {
    const entry = await this.bucket.get(keys.document(namespace, name));
    if (!entry) return undefined;
    const read = readRevision(entry.value);
    if (!read.ok) throw new Error(`the policy ${namespace}/${name} was written by a newer version and cannot be read`);
    this.remember(`${namespace}/${name}`, read.revision, entry.revision);
    return { revision: read.revision, kvRevision: entry.revision };
  }

  private async load(): Promise<void> {
    const before = await this.bucket.state();
    if (!before) return;
    const [documents, bundles, rollouts] = await Promise.all(
      ['doc', 'svc', 'ro'].map((prefix) => this.bucket.list(prefix)),
    );
    if (!documents || !bundles || !rollouts) return;
    forgetOld(this.documents, before.lastSequence, new Set(documents.map(({ key }) => nameOfKey(key))));
    forgetOld(this.bundles, before.lastSequence, new Set(bundles.map(({ key }) => nameOfKey(key))));
    forgetOld(this.rollouts, before.lastSequence, new Set(rollouts.map(({ key }) => nameOfKey(key))));
    this.unreadable.clear();
    for (const { key, value, revision } of documents) {
      const name = nameOfKey(key);
      if (name !== undefined) this.takeDocument(name, value, revision);
    }
    for (const { key, value, revision } of rollouts) {
      const name = nameOfKey(key);
      if (name !== undefined) this.takeRollout(name, value, revision);
    }
    for (const { key, value, revision } of bundles) {
      const target = nameOfKey(key);
      if (target !== undefined) this.takeBundle(target, value, revision);
    }
    this.sequence = Math.max(this.sequence, before.lastSequence);
    this.changed();
  }

  private async restore(): Promise<void> {
    for (const [name, { revision }] of [...this.documents]) {
      const [namespace = '', policyName = ''] = name.split('/');
      try {
        const kvRevision = await this.bucket.create(keys.document(namespace, policyName), JSON.stringify(revision));
        this.documents.set(name, { revision, kvRevision });
      } catch (error) {
        if (!isConflict(error)) throw error;
        // Another control plane, or somebody's new write, was first: its word counts.
        this.documents.delete(name);
      }
    }
    for (const [name, { rollout }] of [...this.rollouts]) {
      const [namespace = '', policyName = ''] = name.split('/');
      this.rollouts.delete(name);
      try {
        const kvRevision = await this.bucket.create(keys.rollout(namespace, policyName), JSON.stringify(rollout));
        this.rollouts.set(name, { rollout, kvRevision });
      } catch (error) {
        if (!isConflict(error)) throw error;
      }
    }
    // Kept with no revision of the new bucket: so their targets are published again, even those that obey nothing now.
    for (const [target, { bundle }] of this.bundles) this.bundles.set(target, { bundle, kvRevision: 0 });
  }

  private takeDocument(name: string, value: Uint8Array, kvRevision: number): boolean {
    if (kvRevision <= (this.documents.get(name)?.kvRevision ?? 0)) return false;
    const read = readRevision(value);
    if (!read.ok) {
      this.options.log.error('a policy document cannot be read; its target is left as it is', { policy: name });
      this.unreadable.set(name, read.target);
      return false;
    }
    this.unreadable.delete(name);
    this.documents.set(name, { revision: read.revision, kvRevision });
    this.changed();
    return true;
  }

  /** The target whose bundle may be another now. One that cannot be read leaves its target's bundle as it is. */
  private takeRollout(name: string, value: Uint8Array, kvRevision: number): string | undefined {
    if (kvRevision <= (this.rollouts.get(name)?.kvRevision ?? 0)) return undefined;
    const rollout = readRollout(readJson(value));
    if (!rollout) {
      const document = this.documents.get(name)?.revision.policy;
      this.options.log.error('a rollout cannot be read; its target is left as it is', { policy: name });
      this.unreadable.set(name, document ? targetOf(document) : undefined);
      return undefined;
    }
    this.rollouts.set(name, { rollout, kvRevision });
    this.changed();
    return rollout.target;
  }

  private changed(): void {
    for (const watcher of this.watchers) watcher();
  }

  private takeBundle(target: string, value: Uint8Array, kvRevision: number): void {
    if (!parseServiceKey(target)) return;
    const bundle = readBundle(value);
    if (!bundle) this.options.log.error('a bundle cannot be read', { target });
    this.rememberBundle(target, { bundle, kvRevision });
  }
}

/** Forgets what the bucket no longer has; entries newer than the listing, and those to be published, stay. */
function forgetOld(
  known: Map<string, { readonly kvRevision: number }>,
  listedSequence: number,
  listed: ReadonlySet<string | undefined>,
): void {
  for (const [name, { kvRevision }] of known) {
    if (kvRevision > 0 && kvRevision <= listedSequence && !listed.has(name)) known.delete(name);
  }
}
