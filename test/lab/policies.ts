/**
 * Weir's own policy and what it is compared with, as documents of the real schema. A policy whose words the schema does
 * not have is absent, and the report says so.
 */
import { parsePolicyJson } from '../../proto/policy/parse.ts';
import { type PolicySpec, policyApiVersion, policyKind } from '../../proto/policy/schema.ts';
import type { PolicyParts, Scenario } from './scenario.ts';

/** Of every service in the lab. */
export const namespace = 'lab';

export interface LabPolicy {
  readonly name: string;
  readonly summary: string;
  readonly parts: PolicyParts;
}

export const weirName = 'weir';

/** What a user gets who asks for protection and sets no numbers. */
const weir: LabPolicy = {
  name: weirName,
  summary: "Weir's defaults",
  parts: { inbound: { concurrency: { fixed: { limit: 16 } }, queue: {} } },
};

const baselines: readonly LabPolicy[] = [
  { name: 'nothing', summary: 'a proxy that passes everything on', parts: {} },
  {
    name: 'fixed',
    summary: 'a fixed limit of twice the workers, and no queue',
    parts: { inbound: { concurrency: { fixed: { limit: 16 } } } },
  },
];

export const labPolicies: readonly LabPolicy[] = [weir, ...baselines];

/** The documents in force in a scenario; by service. */
export function partsFor(policy: LabPolicy, scenario: Scenario, services: readonly string[]): Map<string, PolicyParts> {
  return new Map(
    services.map((service) => {
      const added = policy.name === weirName ? scenario.additions?.[service] : undefined;
      return [service, added === undefined ? policy.parts : merged(policy.parts, added)];
    }),
  );
}

/** Members of `inbound` and `outbound` one by one. */
function merged(base: PolicyParts, added: PolicyParts): PolicyParts {
  return {
    ...base,
    ...added,
    inbound: { ...base.inbound, ...added.inbound },
    outbound: { ...base.outbound, ...added.outbound },
  };
}

/** The spec in force for a service; throws what is wrong with it. */
export function specOf(service: string, parts: PolicyParts): PolicySpec {
  const result = parsePolicyJson({
    apiVersion: policyApiVersion,
    kind: policyKind,
    metadata: { name: service, namespace },
    spec: { target: { service }, ...parts },
  });
  if (result.ok) return result.policy.spec;
  throw new Error(result.errors.map(({ pointer, message }) => `${pointer} ${message}`).join('; '));
}

/** Why a policy cannot be put into force; null when it can. */
export function absenceOf({ parts }: LabPolicy): string | null {
  try {
    specOf('any', parts);
    return null;
  } catch (error) {
    return String(error);
  }
}
