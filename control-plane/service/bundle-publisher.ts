/**
 * From documents to the bundle of each target. Publishing is a compare-and-set of the bundle's key: the bucket
 * republishes it to `weir.pol.svc.…`. Any control plane may do it at any time, since the content follows from the
 * documents alone; whoever works on older documents loses the race or is corrected as soon as it hears of newer ones.
 */

import type { Bundle } from '../../proto/policy/bundle.ts';
import { canonicalJson } from '../../proto/policy/canonical-json.ts';
import { keys, parseServiceKey } from '../../proto/subjects.ts';
import { bundleContent, type Candidate, nextBundle } from '../policy/resolve.ts';
import { isActive, percentOf } from '../policy/rollout.ts';
import { isConflict } from './bus.ts';
import { readBundle, targetOf } from './policy-records.ts';
import type { PolicyStore } from './policy-store.ts';

/** Others that publish the same target at the same time; each lost race means that somebody else got on. */
const attemptsMax = 8;

export class BundlePublisher {
  private readonly store: PolicyStore;
  private readonly hashOf: (text: string) => string;

  /** `hashOf`: the first 16 hex digits of SHA-256. */
  constructor(store: PolicyStore, hashOf: (text: string) => string) {
    this.store = store;
    this.hashOf = hashOf;
  }

  /** Answers the bundle if it had to be published. */
  async publish(target: string): Promise<Bundle | undefined> {
    const service = parseServiceKey(target);
    if (!service || !this.store.mayPublish(target)) return undefined;
    const key = keys.bundle(service);
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const stored = this.store.bundles.get(target);
      const content = bundleContent(target, this.store.documentsAbout(target), this.candidate(target));
      if (!stored && content.stable === null && content.candidate === null) return undefined;
      const bundle = nextBundle(content, stored?.bundle ?? null, this.store.epoch, this.hashOf);
      if (!bundle) return undefined;
      const { bucket } = this.store;
      const value = canonicalJson(bundle);
      try {
        const kvRevision = stored?.kvRevision
          ? await bucket.update(key, value, stored.kvRevision)
          : await bucket.create(key, value);
        this.store.rememberBundle(target, { bundle, kvRevision });
        return bundle;
      } catch (error) {
        if (!isConflict(error)) throw error;
        const entry = await bucket.get(key);
        if (entry) this.store.rememberBundle(target, { bundle: readBundle(entry.value), kvRevision: entry.revision });
        else this.store.bundles.delete(target);
      }
    }
    return undefined;
  }

  /** Every target that has documents, or a bundle that may have to be emptied. */
  async publishAll(publish: (target: string) => Promise<void>): Promise<void> {
    const targets = new Set(this.store.bundles.keys());
    for (const { revision } of this.store.documents.values())
      if (revision.policy) targets.add(targetOf(revision.policy));
    for (const { rollout } of this.store.rollouts.values()) if (isActive(rollout)) targets.add(rollout.target);
    for (const target of targets) await publish(target);
  }

  /** Of the active rollouts, which there is one of; the first by name, should two have begun at the same moment. */
  private candidate(target: string): Candidate | null {
    const active = [...this.store.rollouts.values()]
      .map(({ rollout }) => rollout)
      .filter((rollout) => rollout.target === target && this.store.isInForce(rollout))
      .sort((a, b) => (a.policy < b.policy ? -1 : 1));
    const [first] = active;
    return first ? { policy: first.candidate, percent: percentOf(first), salt: first.salt } : null;
  }
}
