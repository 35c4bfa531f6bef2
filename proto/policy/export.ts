/**
 * The schema for others: as JSON Schema for editors, as a Kubernetes CustomResourceDefinition for API servers. Both are
 * derived and never written by hand.
 *
 * A CRD schema must be structural, so the CRD leaves out what is not (additionalProperties: false; the API server
 * prunes or refuses unknown fields itself) and says as CEL rules what our own validation says in code, as far as CEL
 * can. It carries no defaults: the API server would write them into the stored object, which would then no longer be
 * what its author wrote. What the CRD lets through and validation does not is reported in the Accepted condition.
 */
import { stringify } from 'yaml';
import { exampleOf, lossOf } from './field-notes.ts';
import { unitOf } from './field-units.ts';
import { isRecord, member } from './problems.ts';
import { dnsLabelPattern, PolicySpec, policyApiVersion, policyKind, TrafficPolicy } from './schema.ts';
import { walkSchema } from './walk-schema.ts';

type Json = { [name: string]: unknown };

/** JSON Schema 2020-12 of one TrafficPolicy document, each field with its notes: example, unit, loss of data. */
export function policyJsonSchema(): Json {
  const document = plain(TrafficPolicy);
  for (const { path, schema } of walkSchema(member(member(document, 'properties'), 'spec'))) addNotes(path, schema);
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: `https://weir.dev/schemas/${policyApiVersion}/${policyKind}.json`,
    title: policyKind,
    ...document,
  };
}

export function policyJsonSchemaText(): string {
  return `${JSON.stringify(policyJsonSchema(), null, 2)}\n`;
}

function addNotes(path: string, schema: unknown): void {
  if (!isRecord(schema)) return;
  const [example, unit, loss] = [exampleOf(path, schema), unitOf(path, schema), lossOf(path)];
  Object.assign(schema, {
    ...(example !== undefined && { examples: [example] }),
    ...(unit !== '' && { 'x-weir-unit': unit }),
    ...(loss !== undefined && { 'x-weir-loss': loss }),
  });
}

/** A copy without the schema library's hidden members. */
function plain(schema: object): Json {
  const copy: unknown = JSON.parse(JSON.stringify(schema));
  return isRecord(copy) ? { ...copy } : {};
}

const [group = '', apiVersionName = ''] = policyApiVersion.split('/');

/** apiextensions.k8s.io/v1. */
export function policyCrd(): Json {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `trafficpolicies.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: {
        kind: policyKind,
        listKind: `${policyKind}List`,
        plural: 'trafficpolicies',
        singular: 'trafficpolicy',
        shortNames: ['tp'],
        categories: ['weir'],
      },
      versions: [
        {
          name: apiVersionName,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: printerColumns,
          schema: { openAPIV3Schema: documentSchema() },
        },
      ],
    },
  };
}

export function policyCrdYaml(): string {
  const header = '# Generated from proto/policy/schema.ts by deploy/kubernetes/generate-crd.ts; do not edit.\n';
  return header + stringify(policyCrd(), { lineWidth: 120, aliasDuplicateObjects: false });
}

const conditionColumn = (type: string): Json => ({
  name: type,
  type: 'string',
  jsonPath: `.status.conditions[?(@.type=="${type}")].status`,
});

const printerColumns: readonly Json[] = [
  { name: 'Target', type: 'string', jsonPath: '.spec.target.service' },
  { name: 'Enforcement', type: 'string', jsonPath: '.spec.enforcement' },
  conditionColumn('Accepted'),
  conditionColumn('Enforced'),
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
];

function documentSchema(): Json {
  return {
    type: 'object',
    description: member(TrafficPolicy, 'description'),
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      // Of metadata, the API server lets a schema restrict the name only.
      metadata: { type: 'object', properties: { name: { type: 'string', pattern: dnsLabelPattern, maxLength: 63 } } },
      spec: structural(plain(PolicySpec), ''),
      status: statusSchema,
    },
  };
}

/** Conditions as GEP-713 has them. */
const statusSchema: Json = {
  type: 'object',
  description: 'Written by the control plane.',
  properties: {
    conditions: {
      type: 'array',
      description:
        'Accepted: the policy is valid and not overridden. Enforced: every sidecar that should obey it does. ' +
        'PartiallyEnforced: some do.',
      maxItems: 8,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['type'],
      items: {
        type: 'object',
        required: ['type', 'status', 'lastTransitionTime', 'reason', 'message'],
        properties: {
          type: { type: 'string', enum: ['Accepted', 'Enforced', 'PartiallyEnforced'] },
          status: { type: 'string', enum: ['True', 'False', 'Unknown'] },
          observedGeneration: { type: 'integer', format: 'int64', minimum: 0 },
          lastTransitionTime: { type: 'string', format: 'date-time' },
          reason: {
            type: 'string',
            pattern: '^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$',
            minLength: 1,
            maxLength: 1024,
          },
          message: { type: 'string', maxLength: 32_768 },
        },
      },
    },
  },
};

interface CelRule {
  readonly rule: string;
  readonly message: string;
}

/** The rules of validate.ts that CEL can say, by the path of the object that they are about. */
const rulesByPath: Readonly<Record<string, CelRule | readonly CelRule[]>> = {
  '.inbound': {
    rule: '!has(self.queue) || has(self.concurrency)',
    message: 'a queue needs a concurrency limit',
  },
  '.inbound.rateLimits[]': [
    {
      rule: '!has(self.keysMax) || has(self.key)',
      message: 'keysMax bounds the table of keys, but there is no key',
    },
    {
      rule: '!has(self.burst) || !has(self.algorithm) || has(self.algorithm.tokenBucket)',
      message: 'burst is of token buckets only',
    },
    {
      rule: "(has(self.scope) && self.scope == 'fleet') == has(self.fleet)",
      message: 'scope fleet and fleet belong together',
    },
    {
      rule: '!has(self.fleet) || (!has(self.key) && (!has(self.algorithm) || has(self.algorithm.tokenBucket)))',
      message: 'a limit of the fleet is one token bucket for all requests',
    },
  ],
  '.inbound.rateLimits[].fleet': {
    rule: "!has(self.allotment) || self.allotment != 'chunks' || !has(self.withoutControlPlane) || self.withoutControlPlane != 'safe'",
    message: 'chunks know no safe rate',
  },
  '.inbound.deadline': {
    rule: '!has(self.default) || !has(self.max) || duration(self.default) <= duration(self.max)',
    message: 'default is longer than max',
  },
  '.match': {
    rule: '!has(self.grpc) || !has(self.path)',
    message: 'grpc names the path already',
  },
  '.match.headers[]': {
    rule: 'has(self.exact) != has(self.present)',
    message: 'a header is compared in one way: exact or present',
  },
  '.outbound.circuitBreaker': {
    rule: '!has(self.openFor) || !has(self.openForMax) || duration(self.openFor) <= duration(self.openForMax)',
    message: 'openFor is longer than openForMax',
  },
  '.outbound.healthCheck': {
    rule: '!has(self.timeout) || !has(self.interval) || duration(self.timeout) <= duration(self.interval)',
    message: 'timeout is longer than interval',
  },
  '.outbound': {
    rule: '!has(self.perTryTimeout) || !has(self.timeout) || duration(self.perTryTimeout) <= duration(self.timeout)',
    message: 'perTryTimeout is longer than timeout',
  },
  '.outbound.retries.backoff': {
    rule: '!has(self.base) || !has(self.max) || duration(self.base) <= duration(self.max)',
    message: 'base is longer than max',
  },
};

const copiedKeywords = [
  'type',
  'enum',
  'pattern',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'minProperties',
  'maxProperties',
  'required',
] as const;

function structural(schema: unknown, path: string): Json {
  const result: Json = {};
  const description = member(schema, 'description');
  const fallback = member(schema, 'default');
  if (typeof description === 'string') {
    result.description = fallback === undefined ? description : `${description} Default: ${String(fallback)}.`;
  }
  for (const keyword of copiedKeywords) {
    const value = member(schema, keyword);
    if (value !== undefined) result[keyword] = value;
  }
  const properties = member(schema, 'properties');
  if (isRecord(properties) && Object.keys(properties).length > 0) {
    result.properties = Object.fromEntries(
      Object.entries(properties).map(([name, part]) => [name, structural(part, `${path}.${name}`)]),
    );
  }
  const items = member(schema, 'items');
  if (items !== undefined) {
    result.items = structural(items, `${path}[]`);
    if (member(items, 'type') === 'object' && member(schema, 'x-weir-ordered') !== true) {
      result['x-kubernetes-list-type'] = 'map';
      result['x-kubernetes-list-map-keys'] = ['name'];
    } else result['x-kubernetes-list-type'] = 'atomic';
  }
  // A route's sections are those of the service.
  const own = rulesByPath[path.replace('.routes[].', '.')] ?? [];
  const rules = [...durationRules(schema), ...[own].flat()];
  if (rules.length > 0) result['x-kubernetes-validations'] = rules;
  return result;
}

function durationRules(schema: unknown): { rule: string; message: string }[] {
  if (member(schema, 'x-weir-quantity') !== 'duration') return [];
  const least = String(member(schema, 'x-weir-minimum'));
  const most = String(member(schema, 'x-weir-maximum'));
  return [
    {
      rule: `duration(self) >= duration('${least}') && duration(self) <= duration('${most}')`,
      message: `allowed is ${least} to ${most}`,
    },
  ];
}
