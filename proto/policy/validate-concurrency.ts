/** Limits that contradict each other: min ≤ initial ≤ max. */
import { type Finding, isRecord, member } from './problems.ts';

const orders = [
  ['min', 'max'],
  ['min', 'initial'],
  ['initial', 'max'],
] as const;

export function limitsThatClash(inbound: unknown, pointer: string): Finding[] {
  const concurrency = member(inbound, 'concurrency');
  if (!isRecord(concurrency)) return [];
  return Object.keys(concurrency)
    .slice(0, 10)
    .flatMap((kind) => clashesOf(concurrency[kind], `${pointer}/concurrency/${kind}`));
}

function clashesOf(limit: unknown, pointer: string): Finding[] {
  return orders.flatMap(([lesser, greater]) => {
    const low = member(limit, lesser);
    const high = member(limit, greater);
    if (typeof low !== 'number' || typeof high !== 'number' || low <= high) return [];
    return [{ pointer: `${pointer}/${lesser}`, message: `${lesser} ${low} is above ${greater} ${high}` }];
  });
}
