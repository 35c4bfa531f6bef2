/**
 * What a schema cannot say about a policy: smallest and largest quantities, and fields that depend on each other. It
 * looks at the raw value and asks only about what is there, so that its errors appear beside those of the shape and
 * not one edit later.
 */
import type { TSchema } from 'typebox';
import { parseDuration } from '../kernel/duration.ts';
import { parseSize } from '../kernel/size.ts';
import { childPointer, errorsMax, type Finding, isRecord, member, show, valueAt } from './problems.ts';
import { parseRate } from './rate.ts';
import { defaultNamespace, TrafficPolicy } from './schema.ts';

export function validatePolicy(policy: unknown): Finding[] {
  return [
    ...quantitiesOutOfRange(TrafficPolicy, policy, ''),
    ...targetInOtherNamespace(policy),
    ...validateSpec(member(policy, 'spec'), '/spec'),
  ].slice(0, errorsMax);
}

/** The same for a spec that stands alone, as in a bundle. */
export function validateSpecAlone(schema: TSchema, spec: unknown, pointer: string): Finding[] {
  return [...quantitiesOutOfRange(schema, spec, pointer), ...validateSpec(spec, pointer)].slice(0, errorsMax);
}

function validateSpec(spec: unknown, pointer: string): Finding[] {
  return [
    ...rateLimitsThatClash(member(spec, 'inbound'), `${pointer}/inbound`),
    ...queueWithoutLimit(member(spec, 'inbound'), `${pointer}/inbound`),
    ...greaterThan(spec, pointer, ['inbound', 'deadline'], 'default', 'max'),
    ...greaterThan(spec, pointer, ['outbound', 'circuitBreaker'], 'openFor', 'openForMax'),
    ...greaterThan(spec, pointer, ['outbound', 'healthCheck'], 'timeout', 'interval'),
  ];
}

const parseQuantity: Readonly<Record<string, (text: string) => number | undefined>> = {
  duration: parseDuration,
  size: parseSize,
  rate: parseRate,
};

/** As deep as the schema, never as deep as the value. */
function quantitiesOutOfRange(schema: unknown, value: unknown, pointer: string): Finding[] {
  if (Array.isArray(value)) {
    const items = member(schema, 'items');
    return value.slice(0, errorsMax).flatMap((item, i) => quantitiesOutOfRange(items, item, childPointer(pointer, i)));
  }
  if (isRecord(value)) {
    const properties = member(schema, 'properties');
    if (!isRecord(properties)) return [];
    return Object.keys(properties).flatMap((name) =>
      quantitiesOutOfRange(properties[name], member(value, name), childPointer(pointer, name)),
    );
  }
  const parse = parseQuantity[String(member(schema, 'x-weir-quantity'))];
  if (!parse || typeof value !== 'string' || value.length > 64) return [];
  const least = String(member(schema, 'x-weir-minimum'));
  const most = String(member(schema, 'x-weir-maximum'));
  const amount = parse(value);
  if (amount === undefined || (amount >= parse(least)! && amount <= parse(most)!)) return [];
  return [{ pointer, message: `${show(value)} is outside the allowed range, ${least} to ${most}` }];
}

function targetInOtherNamespace(policy: unknown): Finding[] {
  const written = valueAt(policy, '/spec/target/namespace');
  const own = valueAt(policy, '/metadata/namespace') ?? defaultNamespace;
  if (typeof written !== 'string' || typeof own !== 'string' || written === own) return [];
  return [
    {
      pointer: '/spec/target/namespace',
      message: `${show(written)} is not the namespace of the policy, ${show(own)}`,
      hint: `remove it, or put the policy into ${written}: a policy is about a service of its own namespace`,
    },
  ];
}

function rateLimitsThatClash(inbound: unknown, pointer: string): Finding[] {
  const limits = member(inbound, 'rateLimits');
  if (!Array.isArray(limits)) return [];
  const findings: Finding[] = [];
  const firstWithName = new Map<string, number>();
  for (const [index, limit] of limits.slice(0, errorsMax).entries()) {
    const at = `${pointer}/rateLimits/${index}`;
    const name = member(limit, 'name');
    if (typeof name === 'string') {
      const first = firstWithName.get(name);
      if (first === undefined) firstWithName.set(name, index);
      else {
        const message = `the name ${show(name)} is taken by /spec/inbound/rateLimits/${first}; names are unique`;
        findings.push({ pointer: `${at}/name`, message });
      }
    }
    if (member(limit, 'keysMax') !== undefined && member(limit, 'key') === undefined) {
      const message = 'keysMax bounds the table of keys, but there is no key';
      findings.push({ pointer: `${at}/keysMax`, message, hint: 'add key, such as key: { header: x-client-id }' });
    }
  }
  return findings;
}

function queueWithoutLimit(inbound: unknown, pointer: string): Finding[] {
  if (member(inbound, 'queue') === undefined || member(inbound, 'concurrency') !== undefined) return [];
  return [
    {
      pointer: `${pointer}/queue`,
      message: 'a queue needs a concurrency limit: without one nothing ever waits',
      hint: 'add concurrency: { fixed: { limit: 64 } } beside it',
      atKey: true,
    },
  ];
}

function greaterThan(spec: unknown, base: string, path: readonly string[], lesser: string, greater: string): Finding[] {
  const parent = path.reduce(member, spec);
  const low = member(parent, lesser);
  const high = member(parent, greater);
  if (typeof low !== 'string' || typeof high !== 'string' || low.length > 64 || high.length > 64) return [];
  const lowMs = parseDuration(low);
  const highMs = parseDuration(high);
  if (lowMs === undefined || highMs === undefined || lowMs <= highMs) return [];
  const message = `${lesser} ${show(low)} is longer than ${greater} ${show(high)}`;
  return [{ pointer: [base, ...path, lesser].join('/'), message }];
}
