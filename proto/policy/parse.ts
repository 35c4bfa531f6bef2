/**
 * From what somebody wrote to TrafficPolicy documents, or to every error in it at once. Nothing here throws, whatever
 * the input: a policy is the one thing that strangers hand to every part of the mesh.
 *
 * The documents come back as they were written. Defaults are a later step (defaults.ts).
 */
import { Check } from 'typebox/value';
import { errorsMax, type Finding, isRecord, member, type PolicyError, show, toPolicyError } from './problems.ts';
import { namespaceOf, TrafficPolicy } from './schema.ts';
import { checkShape } from './shape.ts';
import { validatePolicy } from './validate.ts';
import { readYaml } from './yaml-source.ts';

export type PoliciesResult =
  | { readonly ok: true; readonly policies: readonly TrafficPolicy[] }
  | { readonly ok: false; readonly errors: readonly PolicyError[] };

export type PolicyResult =
  | { readonly ok: true; readonly policy: TrafficPolicy }
  | { readonly ok: false; readonly errors: readonly PolicyError[] };

/** What an address such as /v1/namespaces/shop/policies/payments says; a document that says otherwise is refused. */
export interface ExpectedIdentity {
  readonly namespace?: string;
  readonly name?: string;
}

/** One document that is already a value, such as the body of a REST request. */
export function parsePolicyJson(value: unknown, expected: ExpectedIdentity = {}): PolicyResult {
  const checked = check(value, expected);
  if (checked.ok) return checked;
  return { ok: false, errors: checked.findings.map((finding) => toPolicyError(finding)) };
}

/** The same in the form that parsePolicyYaml has. */
export function parsePolicyDocument(value: unknown): PoliciesResult {
  const result = parsePolicyJson(value);
  return result.ok ? { ok: true, policies: [result.policy] } : result;
}

/** Any number of documents, separated by `---`; JSON is YAML too. Errors carry line and column. */
export function parsePolicyYaml(text: string): PoliciesResult {
  const source = readYaml(text);
  const errors: PolicyError[] = [...source.errors];
  const policies: TrafficPolicy[] = [];
  const names = new Set<string>();
  for (const document of source.documents) {
    if (errors.length >= errorsMax) break;
    const checked = check(document.value, {});
    if (!checked.ok) {
      errors.push(...checked.findings.map((finding) => document.locate(finding)).sort(byPosition));
      continue;
    }
    const name = `${namespaceOf(checked.policy)}/${checked.policy.metadata.name}`;
    if (names.has(name)) {
      errors.push(document.locate({ pointer: '/metadata/name', message: `the policy ${name} is in this text twice` }));
    }
    names.add(name);
    policies.push(checked.policy);
  }
  if (errors.length > 0) return { ok: false, errors: errors.slice(0, errorsMax) };
  if (policies.length === 0)
    return { ok: false, errors: [{ pointer: '', message: 'there is no document in the text' }] };
  return { ok: true, policies };
}

/** As a reader meets them; checks of meaning come after all checks of shape. */
function byPosition(left: PolicyError, right: PolicyError): number {
  return (left.line ?? 0) - (right.line ?? 0) || (left.column ?? 0) - (right.column ?? 0);
}

type Checked = { ok: true; policy: TrafficPolicy } | { ok: false; findings: readonly Finding[] };

function check(written: unknown, expected: ExpectedIdentity): Checked {
  const value = withNamespace(written, expected.namespace);
  const findings = [...checkShape(TrafficPolicy, value), ...validatePolicy(value), ...identityErrors(value, expected)];
  if (findings.length > 0) return { ok: false, findings };
  if (Check(TrafficPolicy, value)) return { ok: true, policy: value };
  return { ok: false, findings: [{ pointer: '', message: 'is no TrafficPolicy' }] };
}

/** A document that names no namespace takes the one of the address it is sent to. */
function withNamespace(value: unknown, namespace: string | undefined): unknown {
  const metadata = member(value, 'metadata');
  if (namespace === undefined || !isRecord(value) || !isRecord(metadata) || Object.hasOwn(metadata, 'namespace')) {
    return value;
  }
  return { ...value, metadata: { ...metadata, namespace } };
}

function identityErrors(value: unknown, expected: ExpectedIdentity): Finding[] {
  const metadata = member(value, 'metadata');
  return (['namespace', 'name'] as const).flatMap((field) => {
    const wanted = expected[field];
    const written = member(metadata, field);
    if (wanted === undefined || typeof written !== 'string' || written === wanted) return [];
    return [
      { pointer: `/metadata/${field}`, message: `${show(written)} is not the ${field} in the address, ${wanted}` },
    ];
  });
}
