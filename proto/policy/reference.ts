/**
 * The reference page of TrafficPolicy, field by field, made from the schema and its notes: what a field does, what it may
 * be, what it is when nobody says it, an example, and whether data can be lost by it. Pure text; deploy/kubernetes/
 * generate-crd.ts writes it to deploy/policies/REFERENCE.md.
 */
import { absenceOf, exampleOf, isMarker, lossOf } from './field-notes.ts';
import { unitOf } from './field-units.ts';
import { isRecord, listed, member } from './problems.ts';
import { PolicySpec, policyApiVersion, policyKind } from './schema.ts';
import { fieldsOf, type SchemaField } from './walk-schema.ts';

const intro = `# TrafficPolicy, field by field

<!-- Generated from proto/policy/schema.ts by deploy/kubernetes/generate-crd.ts; do not edit. -->

Every document is \`apiVersion: ${policyApiVersion}\`, \`kind: ${policyKind}\`, \`metadata\` (\`name\`, \`namespace\`, \`labels\`) and
the \`spec\` described here. Complete policies to begin with stand beside this page; editors complete and check documents
with \`trafficpolicy.schema.json\`.

- **Nothing is unbounded.** Each value has a smallest and a largest; leaving a field out means its default, and leaving a
  section out means that it does nothing.
- **Durations** are whole numbers with \`h\`, \`m\`, \`s\` or \`ms\` (\`1m30s\`), **sizes** with \`B\`, \`KiB\`, \`MiB\` or \`GiB\`, **rates** a
  number per \`/s\`, \`/m\` or \`/h\`.
- Where **exactly one of** several members may stand, it names what is chosen: \`algorithm: { leakyBucket: {} }\`.
- \`enforcement: shadow\` runs every decision, counts it in \`weir_requests_would_reject_total\` and refuses nothing: try a
  policy there first.
- **Can it lose data?** is answered where the answer is not simply no.
`;

/** GitHub's Markdown. */
export function policyReference(): string {
  return `${[intro, ...sections(PolicySpec, '')].join('\n')}`;
}

function sections(schema: unknown, path: string): string[] {
  const fields = fieldsOf(schema, path);
  const nested = fields.flatMap((field) => {
    const { schema: part, at } = partOf(field);
    return isSection(part) && !isRepeated(at) ? sections(part, at) : [];
  });
  return [section(schema, path, fields), ...nested];
}

function section(schema: unknown, path: string, fields: readonly SchemaField[]): string {
  const loss = lossOf(path.replace(/\[\]$/, ''));
  const names = fields.map((field) => nameOf(field.path));
  return [
    `${'#'.repeat(Math.min(4, 2 + depthOf(path)))} ${path === '' ? 'spec' : path}\n`,
    `${textOf(schema)}\n`,
    ...(member(schema, 'maxProperties') === 1 ? [`Exactly one of ${listed(names.map(code))}.\n`] : []),
    ...(loss === undefined ? [] : [`**Can it lose data?** ${loss}\n`]),
    '| field | may be | default | example | what it does |\n| --- | --- | --- | --- | --- |',
    ...fields.map((field) => rowOf(field, isChoice(schema, path))),
    '',
  ].join('\n');
}

/** Of its fields those count that are written: what is left out has no value at all. */
function isChoice(schema: unknown, path: string): boolean {
  return member(schema, 'maxProperties') === 1 || /(^|\.)match(\.|$)|\.(rules|weights)\[\]$/.test(path);
}

function rowOf(field: SchemaField, isChosen: boolean): string {
  const { schema, path, isRequired } = field;
  const fallback = member(schema, 'default');
  const example = isSection(partOf(field).schema) ? undefined : exampleInList(field);
  const loss = isSection(partOf(field).schema) ? undefined : lossOf(path);
  const cells = [
    code(nameOf(path)),
    valuesOf(field),
    fallback !== undefined ? code(show(fallback)) : isRequired ? '**required**' : absence(field, isChosen),
    example === undefined ? '' : code(show(example)),
    `${textOf(schema)}${loss === undefined ? '' : ` **Can it lose data?** ${loss}`}`,
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
}

/** Where a field without a default is left out. */
function absence({ path, schema }: SchemaField, isChosen: boolean): string {
  if (isChosen || isSection(partOf({ path, schema, isRequired: false }).schema) || isMarker(schema)) return '–';
  const noted = absenceOf(path);
  if (noted !== undefined) return noted;
  return /default:|without it/i.test(textOf(schema)) ? 'see there' : '–';
}

function exampleInList(field: SchemaField): unknown {
  const items = member(field.schema, 'items');
  const given = exampleOf(field.path, field.schema);
  return items === undefined || given !== undefined ? given : [exampleOf(`${field.path}[]`, items)];
}

/** Type, unit and bounds in words. */
function valuesOf(field: SchemaField): string {
  const { schema, path } = field;
  const items = member(schema, 'items');
  const { schema: part, at } = partOf(field);
  const link = isSection(part) ? ` [${at}](#${anchorOf(isRepeated(at) ? at.replace('routes[].', '') : at)})` : '';
  if (items !== undefined) {
    const least = member(schema, 'minItems');
    const range = `${least === undefined ? '' : `${least} to `}${member(schema, 'maxItems')}`;
    return `list of ${least === undefined ? 'at most ' : ''}${range}${link === '' ? `: ${scalarIn(items, `${path}[]`)}` : link}`;
  }
  if (isMarker(schema)) return '`{}`';
  return link === '' ? scalarIn(schema, path) : `object${link}`;
}

function scalarIn(schema: unknown, path: string): string {
  const words = member(schema, 'enum');
  if (Array.isArray(words)) return listed(words.map((word) => code(String(word))));
  const unit = unitOf(path, schema);
  if (unit !== '') {
    const least = member(schema, 'x-weir-minimum') ?? member(schema, 'minimum');
    const most = member(schema, 'x-weir-maximum') ?? member(schema, 'maximum');
    return `${unit}, ${code(String(least))} to ${code(String(most))}`;
  }
  if (member(schema, 'type') === 'boolean') return '`true` or `false`';
  return `text, at most ${member(schema, 'maxLength')} characters`;
}

/** Of a list, its entries. */
function partOf({ schema, path }: SchemaField): { schema: unknown; at: string } {
  const items = member(schema, 'items');
  return items === undefined ? { schema, at: path } : { schema: items, at: `${path}[]` };
}

/** It has fields of its own. */
function isSection(schema: unknown): boolean {
  const properties = member(schema, 'properties');
  return isRecord(properties) && Object.keys(properties).length > 0;
}

/** A route's section of the same name as one of the service, which is described there. */
function isRepeated(path: string): boolean {
  return /^routes\[\]\.(inbound|outbound)$/.test(path);
}

function depthOf(path: string): number {
  return path === '' ? 0 : path.split('.').length;
}

function nameOf(path: string): string {
  return path.split('.').at(-1) ?? path;
}

function textOf(schema: unknown): string {
  const description = member(schema, 'description');
  return typeof description === 'string' ? description : '';
}

function show(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function code(text: string): string {
  return `\`${text}\``;
}

/** As GitHub names a heading: lower case, without dots and brackets. */
function anchorOf(path: string): string {
  return path.toLowerCase().replace(/[^a-z0-9-]/g, '');
}
