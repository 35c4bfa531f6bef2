/**
 * What a schema cannot say about a policy: smallest and largest quantities, and fields that depend on each other. It
 * looks at the raw value and asks only about what is there, so that its errors appear beside those of the shape and
 * not one edit later.
 */
import type { TSchema } from 'typebox';
import { errorsMax, type Finding, member, show, valueAt } from './problems.ts';
import { defaultNamespace, TrafficPolicy } from './schema.ts';
import { fallbackToItself } from './validate-fallback.ts';
import { validateInbound } from './validate-inbound.ts';
import { essentialWithoutLevels } from './validate-levels.ts';
import { validateOutbound } from './validate-outbound.ts';
import { quantitiesOutOfRange } from './validate-quantities.ts';
import { validateRoutes } from './validate-routes.ts';
import { signalsOfNothing } from './validate-signals.ts';
import { inboundTimes } from './validate-times.ts';

export function validatePolicy(policy: unknown): Finding[] {
  return [
    ...quantitiesOutOfRange(TrafficPolicy, policy, ''),
    ...targetInOtherNamespace(policy),
    ...fallbacksToItself(policy),
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
    ...inboundTimes(member(spec, 'inbound'), `${pointer}/inbound`),
    ...essentialWithoutLevels(spec, pointer),
    ...signalsOfNothing(spec, pointer),
  ];
}

/** Also of routes. */
function fallbacksToItself(policy: unknown): Finding[] {
  const namespace = valueAt(policy, '/metadata/namespace') ?? defaultNamespace;
  const target = `${namespace}/${valueAt(policy, '/spec/target/service')}`;
  const routes = valueAt(policy, '/spec/routes');
  const ofRoutes = Array.isArray(routes) ? routes.slice(0, errorsMax) : [];
  return [
    ...fallbackToItself(valueAt(policy, '/spec/outbound'), target, '/spec/outbound'),
    ...ofRoutes.flatMap((route, index) =>
      fallbackToItself(member(route, 'outbound'), target, `/spec/routes/${index}/outbound`),
    ),
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
