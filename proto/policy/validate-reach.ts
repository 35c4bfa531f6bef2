/** Entries of an ordered list that no request ever comes to, since one before them takes all of theirs. */
import { canonicalJson } from './canonical-json.ts';
import { errorsMax, type Finding, isRecord, member } from './problems.ts';

/** Of routes; of rules of priorities, whose identity counts too. */
export function neverReached(list: unknown, pointer: string): Finding[] {
  if (!Array.isArray(list)) return [];
  const conditions = list.slice(0, errorsMax).map(conditionOf);
  return conditions.flatMap((condition, index) => {
    const first = conditions.findIndex((before, i) => i < index && takesAllOf(before, condition));
    if (first < 0) return [];
    const message = `no request comes here: ${pointer}/${first} takes them all before`;
    return [{ pointer: `${pointer}/${index}/match`, message, hint: 'put the narrower one first', atKey: true }];
  });
}

interface Condition {
  readonly match: Readonly<Record<string, unknown>> | null;
  readonly identity: unknown;
}

function conditionOf(entry: unknown): Condition {
  const match = member(entry, 'match');
  return { match: isRecord(match) ? match : null, identity: member(entry, 'identity') };
}

/** Says so only where that is plain: the same condition, or the path of everything and nothing else. */
function takesAllOf(before: Condition, condition: Condition): boolean {
  if (before.match === null || condition.match === null) return false;
  if (before.identity !== undefined && before.identity !== condition.identity) return false;
  if (isEverything(before.match)) return true;
  return canonicalJson(before.match) === canonicalJson(condition.match);
}

function isEverything(match: Readonly<Record<string, unknown>>): boolean {
  return Object.keys(match).length === 1 && member(match.path, 'prefix') === '/';
}
