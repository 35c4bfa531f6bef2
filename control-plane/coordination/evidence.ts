/** What a verdict says about why: numbers for programs, one line for people, and the callers that saw the worst. */
import { noEvidence } from '../../proto/fleet-blanks.ts';
import type { Evidence } from '../../proto/fleet-messages.ts';
import type { WindowFinding } from './evidence-window.ts';
import type { Vote } from './quorum.ts';

const worstMax = 8;

/** `where`: the zone that it is about; '' for all. */
export function tripEvidence(finding: WindowFinding, where = ''): Evidence {
  const n = Math.round(finding.n);
  const fail = Math.round(finding.fail);
  return {
    voters: finding.voters,
    failingVoters: finding.failingVoters,
    quorum: finding.quorum,
    n,
    fail,
    windowMs: finding.windowMs,
    text: `${finding.failingVoters} of ${finding.voters} callers${where && ` in ${where}`}, ${fail}/${n} failed`,
    worst: finding.votes
      .filter((vote) => vote.fail > 0)
      .sort((a, b) => b.fail - a.fail)
      .slice(0, worstMax)
      .map(toVoterEvidence),
    rule: 'quorum',
  };
}

export function forcedEvidence(reason: string): Evidence {
  return { ...noEvidence, text: reason, rule: 'forced' };
}

export function rampEvidence({ n, fail, allow }: { n: number; fail: number; allow: number }): Evidence {
  const share = Math.round(100 * allow);
  return { ...noEvidence, n, fail, text: `${n - fail} of ${n} succeeded at ${share} % of the demand`, rule: 'ramp' };
}

export function probeEvidence(ok: number, fail: number): Evidence {
  const n = ok + fail;
  return { ...noEvidence, n, fail, text: `${ok} of ${n} probes succeeded`, rule: 'probes' };
}

function toVoterEvidence(vote: Vote): { instance: string; n: number; fail: number } {
  return { instance: vote.caller, n: Math.round(vote.n), fail: Math.round(vote.fail) };
}
