/**
 * From the documents about one target to the bundle that its sidecars and its callers' receive. Pure: the store hands
 * in the documents and the bundle that is published now, computes the hash, and writes what comes back.
 */
import { type Bundle, type BundleOrder, bundleFormat, bundleHashInput } from '../../proto/policy/bundle.ts';
import { canonicalJson } from '../../proto/policy/canonical-json.ts';
import { withDefaults } from '../../proto/policy/defaults.ts';
import { resolvePolicies } from '../../proto/policy/resolve.ts';
import { namespaceOf, type PolicySpec, type TrafficPolicy } from '../../proto/policy/schema.ts';

/** A document and the number of its newest revision. */
export interface RevisedPolicy {
  readonly policy: TrafficPolicy;
  readonly revision: number;
}

/** A bundle before it has an order and a hash. */
export type BundleContent = Omit<Bundle, 'epoch' | 'version' | 'hash'>;

/** What a share of the instances obeys instead of a document. */
export interface Candidate {
  readonly policy: TrafficPolicy;
  readonly percent: number;
  readonly salt: string;
}

/**
 * The content for `target`; documents about other targets are ignored. Defaults are written into it, so that sidecars
 * of different versions obey the same numbers. No document: `stable` is null, which is published like any other
 * content, for a sidecar that hears nothing keeps what it has. A candidate takes the place of the document of its name,
 * and obeys the same order of precedence.
 */
export function bundleContent(
  target: string,
  documents: readonly RevisedPolicy[],
  candidate: Candidate | null = null,
): BundleContent {
  const revisions = new Map(documents.map(({ policy, revision }) => [policy, revision]));
  const resolution = resolvePolicies(revisions.keys()).get(target);
  return {
    v: bundleFormat,
    target,
    stable: resolution ? withDefaults(resolution.inForce.spec) : null,
    candidate: candidate && candidateSpec(target, documents, candidate.policy),
    percent: candidate?.percent ?? 0,
    salt: candidate?.salt ?? '',
    sources: resolution ? [{ ...nameOf(resolution.inForce), revision: revisions.get(resolution.inForce) ?? 0 }] : [],
    overridden: resolution ? resolution.overridden.map(nameOf) : [],
    mustUnderstand: [],
  };
}

/** What would be in force with this document in the place of the one of its name. */
export function candidateSpec(
  target: string,
  documents: readonly RevisedPolicy[],
  candidate: TrafficPolicy,
): PolicySpec | null {
  const others = documents.map(({ policy }) => policy).filter((policy) => !isSameName(policy, candidate));
  const resolution = resolvePolicies([...others, candidate]).get(target);
  return resolution ? withDefaults(resolution.inForce.spec) : null;
}

const nameOf = (policy: TrafficPolicy) => ({ namespace: namespaceOf(policy), name: policy.metadata.name });

const isSameName = (left: TrafficPolicy, right: TrafficPolicy): boolean =>
  left.metadata.name === right.metadata.name && namespaceOf(left) === namespaceOf(right);

/**
 * The bundle to publish after `published`, or null when it already says this. `hashOf` is the first 16 hex digits of
 * SHA-256. The version rises even when nothing is left to enforce, and begins again only in a new epoch.
 */
export function nextBundle(
  content: BundleContent,
  published: Bundle | null,
  epoch: string,
  hashOf: (text: string) => string,
): Bundle | null {
  if (published !== null && published.epoch === epoch && sameContent(published, content)) return null;
  return { ...content, ...nextOrder(published, epoch), hash: hashOf(bundleHashInput(content)) };
}

function nextOrder(published: BundleOrder | null, epoch: string): BundleOrder {
  return { epoch, version: published?.epoch === epoch ? published.version + 1 : 1 };
}

function sameContent(
  { epoch: _epoch, version: _version, hash: _hash, ...published }: Bundle,
  content: BundleContent,
): boolean {
  return canonicalJson(published) === canonicalJson(content);
}
