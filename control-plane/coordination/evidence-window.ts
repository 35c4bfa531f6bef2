/**
 * Looks back as far as it must and no further: from 300 ms in steps of 100 ms to 3 s, until enough requests were
 * counted and enough callers could cast a failing vote. A fixed short window would never open for three callers at
 * five requests a second; a fixed long one would open late for everybody else. The first window that holds enough
 * decides alone: asking every window until one says yes would be asking until one errs.
 */
import { type CallerCounts, countsBucketMs } from './caller-counts.ts';
import { canVoteFailing, type Finding, findQuorum, isEnough, quorumOf, type Vote } from './quorum.ts';

export const windowMinMs = 300;
export const windowMaxMs = 3000;

export interface WindowFinding extends Finding {
  readonly windowMs: number;
  readonly votes: readonly Vote[];
}

export function weighEvidence(callers: ReadonlyMap<string, CallerCounts>, nowMs: number): WindowFinding {
  const names = [...callers.keys()];
  const counts = [...callers.values()];
  const n = new Float64Array(counts.length);
  const fail = new Float64Array(counts.length);
  const quorum = quorumOf(counts.length);
  let votes: Vote[] = [];
  let windowMs = countsBucketMs;
  for (; windowMs <= windowMaxMs; windowMs += countsBucketMs) {
    const back = windowMs / countsBucketMs - 1;
    for (let i = 0; i < counts.length; i++) {
      n[i]! += counts[i]!.nAt(back, nowMs);
      fail[i]! += counts[i]!.failAt(back, nowMs);
    }
    if (windowMs < windowMinMs) continue;
    const isLast = windowMs === windowMaxMs;
    let sum = 0;
    let able = 0;
    votes = counts.map((caller, i) => {
      const standing = n[i] === 0 ? caller.standingN(windowMs, nowMs) : 0;
      const vote =
        standing > 0
          ? { caller: names[i]!, n: standing, fail: caller.standingFail(windowMs, nowMs) }
          : { caller: names[i]!, n: n[i]!, fail: fail[i]! };
      sum += vote.n;
      if (standing > 0 || canVoteFailing(vote.n)) able++;
      return vote;
    });
    if (isLast || (isEnough(sum) && able >= quorum)) break;
  }
  return { ...findQuorum(votes), windowMs, votes };
}
