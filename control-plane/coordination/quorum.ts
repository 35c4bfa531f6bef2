/**
 * The rule that opens a breaker for the whole fleet. Two questions must both be answered yes: do most of the requests
 * fail, when no caller may count for more than a tenth (or its even share), and do enough *callers* see it? The first
 * alone would let one busy broken caller open it; the second alone would let many idle ones. Silence is a no.
 */
export interface Vote {
  readonly caller: string;
  readonly n: number;
  readonly fail: number;
}

export interface Finding {
  /** Callers with demand, m; those that spoke and those that did not. */
  readonly voters: number;
  readonly failingVoters: number;
  /** Failing voters needed. */
  readonly quorum: number;
  readonly n: number;
  readonly fail: number;
  readonly weightedRatio: number;
  readonly open: boolean;
}

/** Below this many callers there is no fleet to ask: each one's local breaker decides. */
export const votersMin = 3;
const requestsMin = 10;
const ratioMin = 0.5;
const failingVoteRequestsMin = 2;
const quorumShare = 0.6;
const weightShareMax = 0.1;
/** Spread counts are fractions: ten tenths of a request are one. */
const epsilon = 1e-9;

export function quorumOf(voters: number): number {
  return Math.max(2, Math.ceil(quorumShare * voters - epsilon));
}

export function canVoteFailing(n: number): boolean {
  return n >= failingVoteRequestsMin - epsilon;
}

export function isEnough(n: number): boolean {
  return n >= requestsMin - epsilon;
}

/** `votes` has one entry per voter, silent ones with n = 0. */
export function findQuorum(votes: readonly Vote[]): Finding {
  const voters = votes.length;
  let n = 0;
  let fail = 0;
  let failingVoters = 0;
  for (const vote of votes) {
    n += vote.n;
    fail += vote.fail;
    if (canVoteFailing(vote.n) && vote.fail / vote.n >= ratioMin - epsilon) failingVoters++;
  }
  const weightMax = Math.max(weightShareMax, 1 / voters) * n;
  let weights = 0;
  let weightedFail = 0;
  for (const vote of votes) {
    if (vote.n <= 0) continue;
    const weight = Math.min(vote.n, weightMax);
    weights += weight;
    weightedFail += (weight * vote.fail) / vote.n;
  }
  const weightedRatio = weights > 0 ? weightedFail / weights : 0;
  const quorum = quorumOf(voters);
  const open = voters >= votersMin && isEnough(n) && weightedRatio >= ratioMin - epsilon && failingVoters >= quorum;
  return { voters, failingVoters, quorum, n, fail, weightedRatio, open };
}
