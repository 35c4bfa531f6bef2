/** Two durations in the wrong order. */
import { parseDuration } from '../kernel/duration.ts';
import { type Finding, member, show } from './problems.ts';

export function greaterThan(
  side: unknown,
  base: string,
  path: readonly string[],
  lesser: string,
  greater: string,
): Finding[] {
  const parent = path.reduce(member, side);
  const low = member(parent, lesser);
  const high = member(parent, greater);
  if (typeof low !== 'string' || typeof high !== 'string' || low.length > 64 || high.length > 64) return [];
  const lowMs = parseDuration(low);
  const highMs = parseDuration(high);
  if (lowMs === undefined || highMs === undefined || lowMs <= highMs) return [];
  const message = `${lesser} ${show(low)} is longer than ${greater} ${show(high)}`;
  return [{ pointer: [base, ...path, lesser].join('/'), message }];
}
