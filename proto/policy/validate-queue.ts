/** A queue where nothing ever waits. */
import { type Finding, member } from './problems.ts';

export function queueWithoutLimit(inbound: unknown, pointer: string): Finding[] {
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
