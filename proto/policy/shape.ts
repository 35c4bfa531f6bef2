/**
 * Checks a value against the schema and words what the schema library finds. The library decides and this file only
 * translates, so schema and checks cannot drift apart; the library's own words ("schema is false", "must match
 * pattern") say neither what was written nor what to write instead.
 */
import type { TSchema } from 'typebox';
import type { TLocalizedValidationError } from 'typebox/error';
import { Settings } from 'typebox/system';
import { Errors } from 'typebox/value';
import {
  childPointer,
  errorsMax,
  type Finding,
  isRecord,
  listed,
  member,
  nearest,
  pointerTokens,
  show,
  valueAt,
} from './problems.ts';
import { dnsLabelPattern } from './schema.ts';

export function checkShape(schema: TSchema, value: unknown): Finding[] {
  const findings: Finding[] = [];
  for (const error of allErrors(schema, value)) {
    for (const finding of explain(error, schema, valueAt(value, error.instancePath))) {
      if (findings.length === errorsMax) return findings;
      findings.push(finding);
    }
  }
  return findings;
}

/** The library stops at 8 errors unless its one global setting says otherwise; it is put back for its other users. */
function allErrors(schema: TSchema, value: unknown): TLocalizedValidationError[] {
  const before = Settings.Get().maxErrors;
  Settings.Set({ maxErrors: 4 * errorsMax });
  try {
    return Errors(schema, value);
  } finally {
    Settings.Set({ maxErrors: before });
  }
}

/** The part of the schema that an error is about; empty where a name in the path hides a slash (label keys). */
function schemaAt(schema: TSchema, path: string): unknown {
  let part: unknown = schema;
  for (const token of path.split('/').slice(1)) part = member(part, token);
  return part;
}

function explain(error: TLocalizedValidationError, root: TSchema, value: unknown): Finding[] {
  const pointer = error.instancePath;
  const schema = schemaAt(root, error.schemaPath);
  const say = (message: string, hint?: string): Finding[] => [{ pointer, message, hint }];
  switch (error.keyword) {
    case 'boolean':
      return [unknownField(error.instancePath, parentOf(root, error.schemaPath))];
    case 'additionalProperties':
      return []; // The same again as a list, which comes too late when the fields are many.
    case 'required':
      return error.params.requiredProperties
        .filter((name) => !isRecord(value) || !Object.hasOwn(value, name))
        .map((name) => missingField(pointer, name, schema));
    case 'type':
      if (Array.isArray(member(schema, 'enum'))) return []; // Comes with enum, which knows the words.
      if (typeof value === 'number' && member(schema, 'x-weir-quantity') !== undefined) {
        return say(`${show(value)} ${patternInWords(schema)}`, patternHint(schema, String(value)));
      }
      return say(`must be ${typeInWords(error.params.type)}, not ${show(value)}`, typeHint(error.params.type, value));
    case 'enum':
      return say(
        `${show(value)} is not allowed here; write ${listed(error.params.allowedValues.map(String))}`,
        wordHint(value, error.params.allowedValues.map(String)),
      );
    case 'pattern':
      return say(`${show(value)} ${patternInWords(schema)}`, patternHint(schema, value));
    case 'minimum':
    case 'maximum':
      return say(`${show(value)} is outside ${rangeInWords(schema)}`);
    case 'minLength':
      return say('must not be empty');
    case 'maxLength':
      return say(`${show(value)} is too long; at most ${error.params.limit} characters`);
    case 'minItems':
      return say(`needs at least ${error.params.limit} ${error.params.limit === 1 ? 'entry' : 'entries'}`);
    case 'maxItems':
      return say(`has ${Array.isArray(value) ? value.length : 'too many'} entries; at most ${error.params.limit}`);
    case 'minProperties':
    case 'maxProperties':
      return say(membersInWords(schema, value, error.params.limit));
    default:
      return say(`${show(value)}: ${error.message}`);
  }
}

function fieldNames(schema: unknown): string[] {
  const properties = member(schema, 'properties');
  return isRecord(properties) ? Object.keys(properties) : [];
}

/** The object schema that forbids the field: the path ends in /additionalProperties. */
function parentOf(root: TSchema, path: string): unknown {
  return schemaAt(root, path.slice(0, path.lastIndexOf('/')));
}

function unknownField(pointer: string, schema: unknown): Finding {
  const at = { pointer, atKey: true };
  const name = pointerTokens(pointer).at(-1) ?? '';
  if (isRecord(member(schema, 'patternProperties'))) {
    return { ...at, message: `${show(name)} is no label key; write letters, digits, ".", "_" and "-", such as team` };
  }
  const names = fieldNames(schema);
  const meant = nearest(name, names);
  const allowed = names.length === 0 ? 'this object has no fields; write {}' : `allowed here: ${names.join(', ')}`;
  return { ...at, message: `unknown field ${show(name)}`, hint: meant ? `did you mean ${meant}?` : allowed };
}

function missingField(pointer: string, name: string, schema: unknown): Finding {
  const field = member(member(schema, 'properties'), name);
  const words = member(field, 'enum');
  const description = member(field, 'description');
  const hint = Array.isArray(words) ? `write ${name}: ${words.join(' or ')}` : description;
  return {
    pointer: childPointer(pointer, name),
    message: `the field ${show(name)} is missing`,
    hint: typeof hint === 'string' ? hint : undefined,
  };
}

function typeInWords(type: string | string[]): string {
  const words: Readonly<Record<string, string>> = {
    object: 'an object',
    array: 'a list',
    string: 'text',
    integer: 'a whole number',
    number: 'a number',
    boolean: 'true or false',
  };
  return listed([type].flat().map((one) => words[one] ?? one));
}

function typeHint(type: string | string[], value: unknown): string | undefined {
  if (type === 'object' && value === null) return 'write {} to take every default, or remove the field';
  if (type === 'string' && (typeof value === 'number' || typeof value === 'boolean')) {
    return `in YAML, quote it: "${value}"`;
  }
  if (type === 'integer' && typeof value === 'string' && /^[0-9]+$/.test(value)) return 'remove the quotes';
  return undefined;
}

function wordHint(value: unknown, words: readonly string[]): string | undefined {
  const isSwitch = words.includes('disabled');
  const saysNo = value === false || (typeof value === 'string' && /^(off|no|false|none)$/i.test(value));
  const saysYes = value === true || (typeof value === 'string' && /^(on|yes|true)$/i.test(value));
  if (isSwitch && (saysNo || saysYes)) {
    return `YAML 1.1 reads off, no, on and yes as true or false; write ${saysNo ? 'disabled' : 'enforce'}`;
  }
  if (words.includes('perProxy') && typeof value === 'string' && /^(perEndpoint|perService)$/i.test(value)) {
    return 'a limit is of each proxy (perProxy) or of all instances of the service together (fleet)';
  }
  const meant = typeof value === 'string' ? nearest(value, words) : undefined;
  return meant ? `did you mean ${meant}?` : undefined;
}

function patternInWords(schema: unknown): string {
  switch (member(schema, 'x-weir-quantity')) {
    case 'duration':
      return 'is no duration; write whole numbers with h, m, s or ms, such as 500ms, 2s or 1m30s';
    case 'size':
      return 'is no size; write a whole number with B, KiB, MiB or GiB, such as 512KiB';
    case 'rate':
      return 'is no rate; write a number and /s, /m or /h, such as 500/s or 2.5/m';
  }
  if (member(schema, 'pattern') === dnsLabelPattern) {
    return 'is no DNS label; write lower-case letters, digits and "-", at most 63, beginning and ending with a letter or digit';
  }
  const description = member(schema, 'description');
  return `has the wrong form${typeof description === 'string' ? `: ${description}` : ''}`;
}

/** Repairs the slips that are common enough to be recognised. */
function patternHint(schema: unknown, value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length > 64) return undefined;
  const text = value.trim();
  const suggest = (repaired: string): string | undefined => {
    const pattern = member(schema, 'pattern');
    const fits = typeof pattern === 'string' && repaired !== value && new RegExp(pattern).test(repaired);
    return fits ? `did you mean ${repaired}?` : undefined;
  };
  switch (member(schema, 'x-weir-quantity')) {
    case 'duration': {
      const fraction = /^([0-9]{1,3})\.([0-9]{1,3})s$/.exec(text);
      if (fraction) return suggest(`${Math.round(Number(`${fraction[1]}.${fraction[2]}`) * 1000)}ms`);
      const units = text.toLowerCase().replace(/\s+/g, '');
      return suggest(units.replace(/(sec|secs|seconds?)$/, 's').replace(/(mins?|minutes?)$/, 'm'));
    }
    case 'size':
      return suggest(text.replace(/\s+/g, '').replace(/([kmg])i?b?$/i, (_, unit: string) => `${unit.toUpperCase()}iB`));
    case 'rate':
      return suggest(
        /^[0-9.]+$/.test(text) ? `${text}/s` : text.replace(/\s+/g, '').replace(/rps$/i, '/s').toLowerCase(),
      );
  }
  return member(schema, 'pattern') === dnsLabelPattern
    ? suggest(
        text
          .toLowerCase()
          .replace(/[\s_.]+/g, '-')
          .slice(0, 63),
      )
    : undefined;
}

function rangeInWords(schema: unknown): string {
  return `the allowed range, ${String(member(schema, 'minimum'))} to ${String(member(schema, 'maximum'))}`;
}

function membersInWords(schema: unknown, value: unknown, limit: number): string {
  const found = isRecord(value) ? Object.keys(value) : [];
  if (member(schema, 'maxProperties') !== 1) return `has ${found.length} entries; at most ${limit}`;
  const names = fieldNames(schema);
  const wanted = names.length === 1 ? `the member ${names[0]}` : `exactly one of ${listed(names)}`;
  return `must name ${wanted}, not ${found.length === 0 ? 'nothing' : listed(found.slice(0, 8).map(show), 'and')}`;
}
