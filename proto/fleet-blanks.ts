/** Messages that say nothing yet: whoever makes one changes what it has to say, and new fields need no new lines there. */
import type { Evidence, TargetCounts, Verdict } from './fleet-messages.ts';

export const noEvidence: Evidence = {
  voters: 0,
  failingVoters: 0,
  quorum: 0,
  n: 0,
  fail: 0,
  windowMs: 0,
  text: '',
  worst: [],
  rule: '',
};

export const blankVerdict: Verdict = {
  v: 1,
  target: '',
  state: 'closed',
  generation: 0,
  epoch: '',
  openedAtWallMs: 0,
  coolMs: 0,
  ttlMs: 0,
  membersHash: '',
  members: [],
  allow: 1,
  evidence: noEvidence,
  zone: '',
  sentAtWallMs: 0,
  expiresInMs: 0,
  suspects: [],
  ejected: [],
  reportEveryMs: 0,
  askTarget: false,
};

export const blankCounts: TargetCounts = {
  target: '',
  generation: 0,
  n: 0,
  fail: 0,
  slow: 0,
  localFail: 0,
  shed: 0,
  latencyMeanMs: 0,
  endpoints: [],
  demand: 0,
  tokensHeld: 0,
  tokensUsed: 0,
  probesOk: 0,
  probesFailed: 0,
  round: 0,
  tokensLive: false,
  fleetState: '',
  openedAtWallMs: 0,
  membersHash: '',
};
