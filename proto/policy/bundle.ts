/**
 * A bundle: everything the sidecars of a target and of its callers need to know about it, normalised from one or more
 * documents. Documents are checked strictly; a bundle is read tolerantly, because during a rolling upgrade an older
 * sidecar meets bundles of a newer control plane: it drops fields that it does not know, unless `mustUnderstand` says
 * that without them the policy would mean something else.
 */
import { type Static, Type } from 'typebox';
import { Check, Clean, Clone } from 'typebox/value';
import { fnv1a } from '../kernel/fnv.ts';
import { parseServiceKey } from '../subjects.ts';
import { canonicalJson } from './canonical-json.ts';
import { type Finding, isRecord, member, type PolicyError, show, toPolicyError } from './problems.ts';
import { PolicySpec } from './schema.ts';
import { checkShape } from './shape.ts';
import { validateSpecAlone } from './validate.ts';

export const bundleFormat = 1;
const sourcesMax = 1000;
/** A bundle is 11 deep; what a later version adds will be little deeper. */
const depthMax = 32;
const versionMax = 2 ** 53 - 1;
const strict = { additionalProperties: false } as const;
const text = (maxLength: number) => Type.String({ maxLength });

const SourceName = { name: text(63), namespace: text(63) };

/** The schema of a bundle after unknown fields were dropped. */
export const Bundle = Type.Object(
  {
    v: Type.Integer({ minimum: bundleFormat, maximum: bundleFormat }),
    /** `<namespace>/<service>`. */
    target: text(127),
    /** Creation time of the KV stream in ms, zero-padded to 16 digits: a wiped and recreated bucket is a later epoch. */
    epoch: Type.String({ pattern: '^[0-9]{16}$', maxLength: 16 }),
    version: Type.Integer({ minimum: 1, maximum: versionMax }),
    /** The first 16 hex digits of the SHA-256 of bundleHashInput(). */
    hash: Type.String({ pattern: '^[0-9a-f]{16}$', maxLength: 16 }),
    /** What everybody obeys; null: no policy is about the target. */
    stable: Type.Union([PolicySpec, Type.Null()]),
    /** During a rollout, what `percent` of the instances obey instead. */
    candidate: Type.Union([PolicySpec, Type.Null()]),
    percent: Type.Integer({ minimum: 0, maximum: 100 }),
    salt: text(128),
    sources: Type.Array(
      Type.Object({ ...SourceName, revision: Type.Integer({ minimum: 0, maximum: versionMax }) }, strict),
      { maxItems: sourcesMax },
    ),
    overridden: Type.Array(Type.Object(SourceName, strict), { maxItems: sourcesMax }),
    mustUnderstand: Type.Array(text(128), { maxItems: 64 }),
  },
  strict,
);
export type Bundle = Static<typeof Bundle>;

/** The same with the specs left out, which are checked by themselves: errors of a union would name every alternative. */
const BundleShell = Type.Object({ ...Bundle.properties, stable: Type.Unknown(), candidate: Type.Unknown() }, strict);

export type BundleResult =
  /** `hashInput` is of the bundle as received: fields that were dropped count in its hash. */
  | { readonly ok: true; readonly bundle: Bundle; readonly hashInput: string }
  | { readonly ok: false; readonly errors: readonly PolicyError[] };

/** Names that `mustUnderstand` may carry and this version honours; what version 1 began with has no names. */
export const understoodNames: ReadonlySet<string> = new Set<string>();

/** The sender's hash is not checked here (pure code has no SHA-256): compare sha256(hashInput) with bundle.hash. */
export function parseBundle(value: unknown, understood = understoodNames): BundleResult {
  const refuse = (findings: readonly Finding[]): BundleResult => ({
    ok: false,
    errors: findings.map((finding) => toPolicyError(finding)),
  });
  const missing = namesNotUnderstood(value, understood);
  if (missing.length > 0) return refuse(missing);
  if (!isRecord(value)) return refuse([{ pointer: '', message: `a bundle is an object, not ${show(value)}` }]);
  if (isDeeperThan(value, depthMax)) return refuse([{ pointer: '', message: `is nested more than ${depthMax} deep` }]);
  const known = dropUnknown(value);
  const findings = [
    ...checkShape(BundleShell, known),
    ...specFindings(member(known, 'stable'), '/stable'),
    ...specFindings(member(known, 'candidate'), '/candidate'),
  ];
  if (findings.length > 0) return refuse(findings);
  if (!Check(Bundle, known)) return refuse([{ pointer: '', message: 'is no bundle' }]);
  if (!parseServiceKey(known.target)) {
    return refuse([{ pointer: '/target', message: `${show(known.target)} is not <namespace>/<service>` }]);
  }
  return { ok: true, bundle: known, hashInput: bundleHashInput(value) };
}

function namesNotUnderstood(value: unknown, understood: ReadonlySet<string>): Finding[] {
  const names = member(value, 'mustUnderstand');
  if (!Array.isArray(names)) return [];
  return names.slice(0, 64).flatMap((name, index) => {
    if (typeof name === 'string' && understood.has(name)) return [];
    const message = `must be understood, but this version does not know ${show(name)}`;
    return [{ pointer: `/mustUnderstand/${index}`, message, hint: 'upgrade this sidecar' }];
  });
}

function specFindings(spec: unknown, pointer: string): Finding[] {
  if (spec === null || spec === undefined) return [];
  const shape = checkShape(PolicySpec, spec).map((finding) => ({ ...finding, pointer: pointer + finding.pointer }));
  return [...shape, ...validateSpecAlone(PolicySpec, spec, pointer)];
}

/** Of a copy; the specs by themselves, since cleaning stops at a union of which no alternative fits. */
function dropUnknown(value: Readonly<Record<string, unknown>>): unknown {
  const shell = Clean(BundleShell, { ...value });
  const specOf = (spec: unknown): unknown => (isRecord(spec) ? Clean(PolicySpec, Clone(spec)) : spec);
  return isRecord(shell) ? { ...shell, stable: specOf(value.stable), candidate: specOf(value.candidate) } : shell;
}

function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((item) => isDeeperThan(item, levels - 1));
}

/** Exactly what the hash covers: what is obeyed and by whom, not when or from which documents it came. */
export function bundleHashInput(value: object): string {
  return canonicalJson({
    target: member(value, 'target'),
    stable: member(value, 'stable'),
    candidate: member(value, 'candidate'),
    percent: member(value, 'percent'),
    salt: member(value, 'salt'),
  });
}

export interface BundleOrder {
  readonly epoch: string;
  readonly version: number;
}

/** A later epoch always wins, whatever its version; within an epoch the version only rises. */
export function isNewer(current: BundleOrder | null, incoming: BundleOrder): boolean {
  if (current === null || incoming.epoch > current.epoch) return true;
  return incoming.epoch === current.epoch && incoming.version > current.version;
}

/** The text form of an epoch. */
export function formatEpoch(createdAtMs: number): string {
  return String(Math.max(0, Math.trunc(createdAtMs))).padStart(16, '0');
}

/** The spec for one instance: the same instance stays on the same side while `percent` only rises. */
export function chooseSpec(bundle: Bundle, instanceId: string): PolicySpec | null {
  return obeysCandidate(bundle, instanceId) ? bundle.candidate : bundle.stable;
}

export function obeysCandidate({ percent, salt }: Pick<Bundle, 'percent' | 'salt'>, instanceId: string): boolean {
  return percent > 0 && fnv1a(instanceId + salt) % 100 < percent;
}
