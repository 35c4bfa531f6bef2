/** Levels that nothing could move, and those of a route, of which no caller could be told. */
import { type Finding, member } from './problems.ts';

export function levelsWithoutQueue(inbound: unknown, pointer: string): Finding[] {
  if (member(inbound, 'levels') === undefined || member(inbound, 'concurrency') !== undefined) return [];
  return [
    {
      pointer: `${pointer}/levels`,
      message: 'levels follow from how long requests wait for the concurrency limit, and there is none',
      hint: 'add concurrency: { fixed: { limit: 64 } } and a queue beside it',
      atKey: true,
    },
  ];
}

export function levelsInRoute(inbound: unknown, pointer: string): Finding[] {
  if (member(inbound, 'levels') === undefined) return [];
  return [
    {
      pointer: `${pointer}/levels`,
      message: "levels are the service's: its callers know one level of it",
      hint: 'move levels to spec.inbound, and give the route a tier by spec.inbound.priorities',
      atKey: true,
    },
  ];
}
