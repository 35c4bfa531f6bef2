/** The documentation of a policy: complete, true, and in the files that are published. */
import { readFileSync } from 'node:fs';
import { Check } from 'typebox/value';
import { describe, expect, it } from 'vitest';
import { policyJsonSchema, policyJsonSchemaText } from '../../../proto/policy/export.ts';
import { exampleOf, isMarker, lossOf, notedPaths, notePath } from '../../../proto/policy/field-notes.ts';
import { unitOf } from '../../../proto/policy/field-units.ts';
import { isRecord, member } from '../../../proto/policy/problems.ts';
import { policyReference } from '../../../proto/policy/reference.ts';
import { PolicyMetadata, PolicySpec, TrafficPolicy } from '../../../proto/policy/schema.ts';
import { quantitiesOutOfRange } from '../../../proto/policy/validate-quantities.ts';
import { type SchemaField, walkSchema } from '../../../proto/policy/walk-schema.ts';

const command = 'node dist/deploy/kubernetes/generate-crd.js deploy/kubernetes/crd.yaml';
const fields = [...walkSchema(PolicySpec)];
const everywhere = [...walkSchema(TrafficPolicy)];

/** What keeps a field from being unbounded, or the lack of it. */
function lacksBound({ schema }: SchemaField): boolean {
  const has = (...keywords: string[]): boolean => keywords.every((keyword) => member(schema, keyword) !== undefined);
  switch (member(schema, 'type')) {
    case 'string':
      return !has('enum') && !has('maxLength');
    case 'integer':
    case 'number':
      return !has('minimum', 'maximum');
    case 'array':
      return !has('maxItems', 'items');
    case 'object':
      return member(schema, 'additionalProperties') !== false && !has('maxProperties');
    default:
      return member(schema, 'type') !== 'boolean';
  }
}

function hasExampleThatFits({ path, schema }: SchemaField): boolean {
  const type = member(schema, 'type');
  if ((type === 'object' && !isMarker(schema)) || type === 'array') return true;
  const example = exampleOf(path, schema);
  if (!isRecord(schema) || example === undefined || !Check(schema, example)) return false;
  return quantitiesOutOfRange(schema, example, '').length === 0;
}

const sectionOf = (path: string): string => notePath(path).split(/[.[]/).slice(0, 2).join('.');

const paths = (list: readonly SchemaField[]): string[] => list.map(({ path }) => path);

describe('the policy schema', () => {
  it('describes every field in a sentence', () => {
    const isSilent = ({ schema }: SchemaField): boolean => !/^\S.*[.?)]$/su.test(String(member(schema, 'description')));
    expect(paths(everywhere.filter(isSilent))).toEqual([]);
  });

  it('bounds every field: no value means "unbounded"', () => {
    const { labels, ...rest } = PolicyMetadata.properties;
    expect(member(labels, 'maxProperties')).toBe(64);
    expect(Object.keys(rest)).not.toContain('labels');
    expect(paths(everywhere.filter((field) => lacksBound(field)))).toEqual([]);
  });

  it('has quantities whose bounds and defaults are themselves valid', () => {
    const broken = fields.filter(({ schema }) => {
      if (member(schema, 'x-weir-quantity') === undefined || !isRecord(schema)) return false;
      const known = [schema['x-weir-minimum'], schema['x-weir-maximum'], schema.default ?? schema['x-weir-minimum']];
      return known.some((text) => !Check(schema, text) || quantitiesOutOfRange(schema, text, '').length > 0);
    });
    expect(paths(broken)).toEqual([]);
  });

  it('has an example for every value, which the schema takes: give it `examples`, or a line in field-notes.ts', () => {
    expect(paths(fields.filter((field) => !hasExampleThatFits(field)))).toEqual([]);
  });

  it('says in what every number is counted', () => {
    expect(paths(fields.filter(({ path, schema }) => unitOf(path, schema) === 'a number'))).toEqual([]);
  });

  it('answers "can it lose data?" for every section: with a note on it or on what can, or because it cannot', () => {
    const cannot: Readonly<Record<string, string>> = {
      'inbound.signals': 'it tells, and refuses nothing',
      'outbound.timeoutHeader': 'the time that it tells is the caller’s own',
      'outbound.classification': 'it says what answers mean',
      'outbound.healthCheck': 'where nobody is well, everybody is asked',
      'outbound.outlierDetection': 'one endpoint always stays',
      'outbound.loadBalancing': 'it chooses among endpoints',
    };
    const sections = fields.map(({ path }) => path).filter((path) => /^(inbound|outbound)\.[a-zA-Z]+$/.test(path));
    const can = new Set(fields.filter(({ path }) => lossOf(path) !== undefined).map(({ path }) => sectionOf(path)));
    expect(sections.filter((path) => can.has(path) === Object.hasOwn(cannot, path))).toEqual([]);
    // One place for the answer, so that none is forgotten.
    const elsewhere = everywhere.filter(({ schema }) =>
      /lose[s]? (no )?data/i.test(String(member(schema, 'description'))),
    );
    expect(paths(elsewhere).filter((path) => !path.endsWith('.abandonAfter'))).toEqual([]);
  });

  it('has no note about a field that is not there', () => {
    const known = new Set(fields.flatMap(({ path }) => [path, notePath(path)]));
    expect(notedPaths.filter((path) => !known.has(path))).toEqual([]);
  });
});

describe('policyJsonSchema', () => {
  it('carries the example, unit and loss of data of each field', () => {
    const byPath = new Map(
      [...walkSchema(member(member(policyJsonSchema(), 'properties'), 'spec'))].map((field) => [
        field.path,
        field.schema,
      ]),
    );
    expect(byPath.get('inbound.queue.requestsMax')).toMatchObject({ examples: [100], 'x-weir-unit': 'requests' });
    expect(byPath.get('outbound.timeout')).toMatchObject({
      examples: ['500ms'],
      'x-weir-unit': 'duration (h, m, s, ms)',
    });
    expect(byPath.get('routes[].outbound.timeout')).toEqual(byPath.get('outbound.timeout'));
    expect(byPath.get('inbound.queue')).toMatchObject({ 'x-weir-loss': expect.stringContaining('refused') });
    expect(byPath.get('inbound.signals')).not.toHaveProperty('x-weir-loss');
  });

  it(`is what deploy/policies/trafficpolicy.schema.json holds: ${command}`, () => {
    const file = new URL('../../../deploy/policies/trafficpolicy.schema.json', import.meta.url);
    expect(readFileSync(file, 'utf8') === policyJsonSchemaText(), `out of step; run ${command}`).toBe(true);
  });
});

describe('policyReference', () => {
  it('has a row for every field, the sections of a route aside, which are those of the service', () => {
    const page = policyReference();
    const isOwn = (path: string): boolean => notePath(path) === path || /^routes\[\]\.[a-z]+$/.test(path);
    const described = fields.filter(({ path }) => !path.endsWith('[]') && isOwn(path));
    const missing = described.filter(({ path }) => !page.includes(`| \`${path.split('.').at(-1)}\` |`));
    expect(paths(missing)).toEqual([]);
    expect(page.match(/^\| `/gm)?.length).toBe(described.length);
  });

  it('says of every field what it may be, what it is when nobody says it, and what it does', () => {
    const page = policyReference();
    const incomplete: string[] = [];
    for (const part of page.split(/^#+ (?=\S)/m).slice(1)) {
      const [title = ''] = part.split('\n', 1);
      // Of these, what is written counts, and the rest has no value.
      const isChoice = /^Exactly one of/m.test(part) || /(^|\.)match(\.|$)|\.rules\[\]$/.test(title);
      for (const line of part.split('\n').filter((one) => one.startsWith('| `'))) {
        const [, name, values, fallback, , text] = line.split(/(?<!\\) ?\| ?/);
        const isSection = /^(object|list|`\{\}`)/.test(values!);
        const isBounded =
          isSection || /`(true|[^`]+)`.* (to|or) `|at most \d+/.test(values!) || /^`[^`]+`$/.test(values!);
        const isSaid = isSection || isChoice || (fallback !== '–' && fallback !== '');
        if (!isBounded || !isSaid || !/[.?)]/.test(text ?? ''))
          incomplete.push(`${title} ${name}: ${values} ${fallback}`);
      }
    }
    expect(incomplete).toEqual([]);
  });

  it('links to headings that are there', () => {
    const page = policyReference();
    const anchors = new Set(
      [...page.matchAll(/^#+ (.*)$/gm)].map(([, title]) => title!.toLowerCase().replace(/[^a-z0-9-]/g, '')),
    );
    const links = [...page.matchAll(/\]\(#([^)]*)\)/g)].map(([, anchor]) => anchor!);
    expect(links.length).toBeGreaterThan(20);
    expect(links.filter((anchor) => !anchors.has(anchor))).toEqual([]);
  });

  it(`is what deploy/policies/REFERENCE.md holds: ${command}`, () => {
    const file = new URL('../../../deploy/policies/REFERENCE.md', import.meta.url);
    expect(readFileSync(file, 'utf8') === policyReference(), `out of step; run ${command}`).toBe(true);
  });
});
