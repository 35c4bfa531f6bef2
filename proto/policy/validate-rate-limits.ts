/** Rate limits that contradict each other or themselves. */
import { errorsMax, type Finding, member, show } from './problems.ts';

export function rateLimitsThatClash(inbound: unknown, pointer: string): Finding[] {
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
        const message = `the name ${show(name)} is taken by ${pointer}/rateLimits/${first}; names are unique`;
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
