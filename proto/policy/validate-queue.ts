/** A queue where nothing ever waits, and settings of a queue that is not there. */
import { errorsMax, type Finding, isRecord, member, show } from './problems.ts';

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

export function queueThatContradicts(inbound: unknown, pointer: string): Finding[] {
  const queue = member(inbound, 'queue');
  if (!isRecord(queue)) return [];
  const at = `${pointer}/queue`;
  return [...settingsOfNoQueue(queue, at), ...tenantsThatClash(queue, at), ...everybodyAlike(queue, at)];
}

function settingsOfNoQueue(queue: Record<string, unknown>, pointer: string): Finding[] {
  if (queue.discipline !== 'none') return [];
  return Object.keys(queue)
    .filter((name) => name !== 'discipline')
    .slice(0, errorsMax)
    .map((name) => ({
      pointer: `${pointer}/${name}`,
      message: `${name} says how requests wait, but discipline: none lets nobody wait`,
      hint: 'remove it, or write discipline: fifo or full',
      atKey: true,
    }));
}

function everybodyAlike(queue: Record<string, unknown>, pointer: string): Finding[] {
  if (queue.whenFull !== 'lowestPriority' || queue.priority !== false) return [];
  if (member(queue.tenantFair, 'enabled') !== false) return [];
  const message = 'without priority and tenantFair everybody matters alike: there is no lowest priority';
  return [{ pointer: `${pointer}/whenFull`, message, hint: 'write newest, oldest or random' }];
}

function tenantsThatClash(queue: Record<string, unknown>, pointer: string): Finding[] {
  const weights = member(queue.tenantFair, 'weights');
  if (!Array.isArray(weights)) return [];
  const seen = new Set<unknown>();
  const findings: Finding[] = [];
  for (const [index, entry] of weights.slice(0, errorsMax).entries()) {
    const tenant = member(entry, 'name');
    if (seen.has(tenant) && typeof tenant === 'string') {
      const message = `the tenant ${show(tenant)} has a weight already`;
      findings.push({ pointer: `${pointer}/tenantFair/weights/${index}/name`, message });
    }
    seen.add(tenant);
  }
  return findings;
}
