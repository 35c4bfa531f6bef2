/** Rules of priorities that are about no request, or about every one. */
import { errorsMax, type Finding, member } from './problems.ts';
import { matchThatClashes } from './validate-match.ts';
import { neverReached } from './validate-reach.ts';

export function rulesThatClash(inbound: unknown, pointer: string): Finding[] {
  const rules = member(member(inbound, 'priorities'), 'rules');
  if (!Array.isArray(rules)) return [];
  const each = rules.slice(0, errorsMax).flatMap((rule, index) => {
    const at = `${pointer}/priorities/rules/${index}`;
    const match = member(rule, 'match');
    if (match !== undefined) return matchThatClashes(match, `${at}/match`);
    if (member(rule, 'identity') !== undefined) return [];
    const message = 'the rule is about every request';
    return [{ pointer: at, message, hint: 'add match or identity, or write its tier as priorities.default' }];
  });
  return [...each, ...neverReached(rules, `${pointer}/priorities/rules`)];
}
