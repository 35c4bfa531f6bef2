/**
 * When several policies are about one target, one of them is in force and the others are reported as overridden. They
 * are never merged: nobody could tell from a document what it does. The control plane and a standalone sidecar decide
 * by this same rule.
 *
 * The most specific wins; today every policy is about a whole service, so none is more specific than another. Then the
 * oldest wins, so that nobody takes over a service by adding a policy; among equally old ones, and in files, where
 * nothing has an age, the first by name (the order of GEP-713).
 */
import { namespaceOf, type TrafficPolicy, targetOf } from './schema.ts';

export interface Resolution {
  /** `<namespace>/<service>`. */
  readonly target: string;
  readonly inForce: TrafficPolicy;
  /** In the order in which they would take its place. */
  readonly overridden: readonly TrafficPolicy[];
}

export function resolvePolicies(policies: Iterable<TrafficPolicy>): Map<string, Resolution> {
  const byTarget = new Map<string, TrafficPolicy[]>();
  for (const policy of policies) {
    const target = targetOf(policy);
    const rivals = byTarget.get(target);
    if (rivals) rivals.push(policy);
    else byTarget.set(target, [policy]);
  }
  const resolutions = new Map<string, Resolution>();
  for (const [target, rivals] of byTarget) {
    const [inForce, ...overridden] = rivals.sort(byPrecedence);
    if (inForce) resolutions.set(target, { target, inForce, overridden });
  }
  return resolutions;
}

function byPrecedence(left: TrafficPolicy, right: TrafficPolicy): number {
  const byAge = createdAtMs(left) - createdAtMs(right);
  if (byAge !== 0 && !Number.isNaN(byAge)) return byAge;
  const leftName = `${namespaceOf(left)}/${left.metadata.name}`;
  const rightName = `${namespaceOf(right)}/${right.metadata.name}`;
  return leftName < rightName ? -1 : leftName > rightName ? 1 : 0;
}

/** A policy without an age is younger than any that has one; the difference of two such is NaN and decides nothing. */
function createdAtMs(policy: TrafficPolicy): number {
  const parsedMs = Date.parse(policy.metadata.creationTimestamp ?? '');
  return Number.isNaN(parsedMs) ? Number.POSITIVE_INFINITY : parsedMs;
}
