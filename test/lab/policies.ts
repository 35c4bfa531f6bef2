/**
 * Weir's own policy and what it is compared with, as documents of the real schema. Each has parts without which it would
 * not be itself, and wishes: a wish in words that the schema does not have is left out, and the report says so.
 */
import { parsePolicyJson } from '../../proto/policy/parse.ts';
import { type PolicySpec, policyApiVersion, policyKind } from '../../proto/policy/schema.ts';
import type { PolicyParts, Scenario } from './scenario.ts';

/** Of every service in the lab. */
export const namespace = 'lab';
export const weirName = 'weir';

export interface LabPolicy {
  readonly name: string;
  readonly summary: string;
  readonly parts: PolicyParts;
  readonly wishes?: readonly PolicyParts[];
}

/** By headers that the scenarios' requests bring. */
const priorities = {
  rules: ['high', 'low', 'batch'].map((tier) => ({
    match: { headers: [{ name: 'x-lab-class', exact: tier }] },
    tier,
  })),
  tenant: { header: 'x-lab-tenant' },
  user: { header: 'x-lab-user' },
};

/** What a user gets who asks for protection, says who matters, and sets no numbers. */
const weir: LabPolicy = {
  name: weirName,
  summary: "Weir's defaults",
  parts: { inbound: { concurrency: { fixed: { limit: 16 } }, queue: {} } },
  wishes: [
    { inbound: { concurrency: { vegasBdp: {} } } },
    { inbound: { priorities } },
    { outbound: { retries: { nonIdempotent: true } } },
    { outbound: { loadBalancing: {} } },
  ],
};

const limiter = (name: string, summary: string, concurrency: Readonly<Record<string, unknown>>): LabPolicy => ({
  name,
  summary,
  parts: { inbound: { concurrency } },
});

const balancer = (name: string, algorithm: string): LabPolicy => ({
  name,
  summary: 'only spreads the requests',
  parts: { outbound: { loadBalancing: { algorithm: { [algorithm]: {} } } } },
});

const baselines: readonly LabPolicy[] = [
  { name: 'nothing', summary: 'a proxy that passes everything on', parts: {} },
  limiter('fixed', 'a fixed limit of twice the workers, and no queue', { fixed: { limit: 16 } }),
  limiter('gradient2', "Netflix's Gradient2", { gradient2: {} }),
  limiter('envoy-gradient', "Envoy's adaptive concurrency", { envoyGradient: {} }),
  limiter('aimd', 'L·0.9 on a drop, else + 1', { aimd: {} }),
  {
    name: 'dagor',
    summary: "WeChat's levels over a queue, first come first served, and a fixed limit",
    parts: {
      inbound: {
        concurrency: { fixed: { limit: 16 } },
        queue: { discipline: 'fifo', requestsMax: 1000, waitMax: '1s' },
        priorities,
        levels: {},
      },
    },
  },
  balancer('round-robin', 'roundRobin'),
  balancer('least-request', 'leastRequest'),
  balancer('prequal', 'prequal'),
];

export const labPolicies: readonly LabPolicy[] = [weir, ...baselines];

/** The documents in force in a scenario; by service. */
export function partsFor(policy: LabPolicy, scenario: Scenario, services: readonly string[]): Map<string, PolicyParts> {
  return new Map(
    services.map((service) => {
      const additions = policy.name === weirName ? (scenario.additions?.[service] ?? []) : [];
      const wishes = [...(policy.wishes ?? []), ...additions];
      return [service, wishes.reduce((parts, wish) => granted(parts, wish) ?? parts, policy.parts)];
    }),
  );
}

/** The wishes that the schema has no words for. */
export function refusedWishes(policy: LabPolicy, additions: readonly PolicyParts[] = []): string[] {
  return [...(policy.wishes ?? []), ...additions]
    .filter((wish) => granted(policy.parts, wish) === null)
    .map((wish) => JSON.stringify(wish));
}

function granted(parts: PolicyParts, wish: PolicyParts): PolicyParts | null {
  const all = merged(parts, wish);
  return faultOf(all) === null ? all : null;
}

/** Members of `inbound` and `outbound` one by one. */
function merged(base: PolicyParts, added: PolicyParts): PolicyParts {
  return {
    ...base,
    ...added,
    ...((base.inbound ?? added.inbound) && { inbound: { ...base.inbound, ...added.inbound } }),
    ...((base.outbound ?? added.outbound) && { outbound: { ...base.outbound, ...added.outbound } }),
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

/** Why parts cannot be put into force; null when they can. */
export function faultOf(parts: PolicyParts): string | null {
  try {
    specOf('any', parts);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
