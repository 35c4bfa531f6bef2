/** Every field of the policy schema with its path below `spec`, in the order of the schema. */
import { isRecord, member } from './problems.ts';

export interface SchemaField {
  /** Such as `inbound.rateLimits[].burst`; the entries of a list are a field too, `inbound.rateLimits[]`. */
  readonly path: string;
  readonly schema: unknown;
  readonly isRequired: boolean;
}

/** The fields of one object. */
export function fieldsOf(schema: unknown, path: string): SchemaField[] {
  const properties = member(schema, 'properties');
  const required = member(schema, 'required');
  if (!isRecord(properties)) return [];
  return Object.entries(properties).map(([name, field]) => ({
    path: path === '' ? name : `${path}.${name}`,
    schema: field,
    isRequired: Array.isArray(required) && required.includes(name),
  }));
}

/** All of them, as deep as the schema. */
export function* walkSchema(schema: unknown, path = ''): Generator<SchemaField> {
  for (const field of fieldsOf(schema, path)) {
    yield field;
    const items = member(field.schema, 'items');
    if (items === undefined) yield* walkSchema(field.schema, field.path);
    else {
      yield { path: `${field.path}[]`, schema: items, isRequired: false };
      yield* walkSchema(items, `${field.path}[]`);
    }
  }
}
