/** A status that is said to be two things. */
import { childPointer, type Finding, member, show } from './problems.ts';

const lists = ['failures', 'successes', 'ignored'] as const;
const statusesMax = 64;

/** `pointer`: where `outbound` stands. */
export function validateClassification(outbound: unknown, pointer: string): Finding[] {
  const classification = member(outbound, 'classification');
  const firstList = new Map<string, string>();
  const findings: Finding[] = [];
  for (const list of lists) {
    const statuses = member(classification, list);
    if (!Array.isArray(statuses)) continue;
    for (const [index, status] of statuses.slice(0, statusesMax).entries()) {
      if (typeof status !== 'string') continue;
      const first = firstList.get(status);
      if (first === undefined) firstList.set(status, list);
      else {
        const at = childPointer(`${pointer}/classification/${list}`, index);
        findings.push({ pointer: at, message: `${show(status)} stands in ${first} already` });
      }
    }
  }
  return findings;
}
