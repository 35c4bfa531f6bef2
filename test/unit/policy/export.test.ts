/** The exported schemas: the CRD is structural and up to date. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { policyCrd, policyCrdYaml, policyJsonSchema } from '../../../proto/policy/export.ts';
import { isRecord, member, valueAt } from '../../../proto/policy/problems.ts';

/** What kube-apiserver demands of a structural schema, and what of ours it has to hold. */
function complaints(schema: unknown, path: string): string[] {
  if (!isRecord(schema)) return [`${path}: is no schema`];
  const found: string[] = [];
  if (typeof schema.type !== 'string') found.push(`${path}: has no type`);
  for (const keyword of [
    'anyOf',
    'oneOf',
    'allOf',
    'not',
    '$ref',
    'const',
    'additionalProperties',
    'patternProperties',
  ]) {
    if (keyword in schema) found.push(`${path}: has ${keyword}`);
  }
  for (const keyword of Object.keys(schema)) {
    if (keyword.startsWith('x-') && !keyword.startsWith('x-kubernetes-')) found.push(`${path}: has ${keyword}`);
  }
  for (const word of Array.isArray(schema.enum) ? schema.enum : []) {
    if (/^(on|off|yes|no|y|n|true|false)$/.test(String(word))) found.push(`${path}: ${word} is a boolean in YAML 1.1`);
  }
  for (const [name, part] of Object.entries(isRecord(schema.properties) ? schema.properties : {})) {
    found.push(...complaints(part, `${path}.${name}`));
  }
  if ('items' in schema) found.push(...complaints(schema.items, `${path}[]`));
  return found;
}

/** Every leaf that can grow has a bound. */
function unbounded(schema: unknown, path: string): string[] {
  const type = member(schema, 'type');
  const has = (keyword: string): boolean => member(schema, keyword) !== undefined;
  if (type === 'string' && !has('maxLength') && !has('enum')) return [path];
  if (type === 'integer' && !has('maximum')) return [path];
  if (type === 'array' && !has('maxItems')) return [path];
  const properties = member(schema, 'properties');
  const parts = Object.entries(isRecord(properties) ? properties : {}).flatMap(([name, part]) =>
    unbounded(part, `${path}.${name}`),
  );
  return has('items') ? [...parts, ...unbounded(member(schema, 'items'), `${path}[]`)] : parts;
}

const openApi = valueAt(policyCrd(), '/spec/versions/0/schema/openAPIV3Schema');

describe('policyCrd', () => {
  it('is structural', () => {
    expect(complaints(openApi, '')).toEqual([]);
  });

  it('bounds and describes every field of spec', () => {
    expect(unbounded(valueAt(openApi, '/properties/spec'), 'spec')).toEqual([]);
    const undescribed = JSON.stringify(openApi).match(/"(duration|rate|burst)":\{"type"/g);
    expect(undescribed).toBeNull();
  });

  it('has status as a subresource with conditions', () => {
    expect(valueAt(policyCrd(), '/spec/versions/0/subresources')).toEqual({ status: {} });
    expect(valueAt(openApi, '/properties/status/properties/conditions/items/properties/type/enum')).toEqual([
      'Accepted',
      'Enforced',
      'PartiallyEnforced',
    ]);
  });

  it('says the rules between fields in CEL', () => {
    const rules = [...policyCrdYaml().matchAll(/rule: (.*)/g)].map((match) => match[1]);
    expect(rules).toContain('"!has(self.queue) || has(self.concurrency)"');
    expect(rules).toContain("duration(self) >= duration('1ms') && duration(self) <= duration('1m')");
  });

  it('is what deploy/kubernetes/crd.yaml holds', () => {
    const path = new URL('../../../deploy/kubernetes/crd.yaml', import.meta.url);
    expect(readFileSync(path, 'utf8')).toBe(policyCrdYaml());
  });
});

describe('policyJsonSchema', () => {
  it('is plain JSON that refuses unknown fields', () => {
    const schema = policyJsonSchema();
    expect(JSON.parse(JSON.stringify(schema))).toEqual(schema);
    expect(schema).toMatchObject({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      title: 'TrafficPolicy',
      type: 'object',
      required: ['apiVersion', 'kind', 'metadata', 'spec'],
      additionalProperties: false,
    });
  });
});
