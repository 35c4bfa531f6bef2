/**
 * What a schema cannot say about a policy: smallest and largest quantities, and fields that depend on each other. It
 * looks at the raw value and asks only about what is there, so that its errors appear beside those of the shape and
 * not one edit later.
 */
import type { TSchema } from 'typebox';
import { errorsMax, type Finding, member, show, valueAt } from './problems.ts';
import { defaultNamespace, TrafficPolicy } from './schema.ts';
import { validateInbound } from './validate-inbound.ts';
import { validateOutbound } from './validate-outbound.ts';
import { quantitiesOutOfRange } from './validate-quantities.ts';
import { validateRoutes } from './validate-routes.ts';

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
    ...validateInbound(member(spec, 'inbound'), `${pointer}/inbound`),
    ...validateOutbound(member(spec, 'outbound'), `${pointer}/outbound`),
    ...validateRoutes(spec, pointer),
  ];
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
