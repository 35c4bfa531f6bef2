/** What the coordinator says: verdicts to everybody, tokens to those that may probe, readings for views. */
import { blankVerdict } from '../../proto/fleet-blanks.ts';
import type { Identity, ProbeToken, Verdict } from '../../proto/fleet-messages.ts';
import type { FleetBreaker } from './fleet-breaker.ts';
import { allowIn, type FleetState, openingIn } from './fleet-state.ts';
import type { FleetTarget } from './fleet-target.ts';
import { tokenTtlMs } from './probe-round.ts';

/** So long without a repetition the leader counts as lost: three snapshots. */
export const verdictTtlMs = 1500;
/** Callers up to which everybody may report ten times a second; with more the interval is stretched. */
const fastReportersMax = 1000;
const fastMs = 100;
const slowMs = 1000;

/** Tokens for one caller; they answer the report that it names. */
export interface TokenGrant {
  readonly to: Identity;
  readonly answersSeq: number;
  readonly epoch: string;
  readonly tokens: readonly ProbeToken[];
}

/** The state of one target, for views. */
export interface FleetBreakerReading {
  readonly target: string;
  /** '' = every zone. */
  readonly zone: string;
  readonly state: FleetState['state'];
  readonly generation: number;
  readonly epoch: string;
  readonly sinceMs: number;
  /** Wall clock; null when closed. */
  readonly openedAtWallMs: number | null;
  /** 0 when closed. */
  readonly coolMs: number;
  readonly evidence: Verdict['evidence'];
  readonly callers: number;
  readonly suspects: readonly string[];
  readonly ejected: readonly string[];
  /** Of forced states; null for others. */
  readonly expiresInMs: number | null;
}

export function verdictOf(
  target: FleetTarget,
  breaker: FleetBreaker,
  epoch: string,
  nowMs: number,
  wallMs: number,
): Verdict {
  const { state } = breaker;
  const opening = openingIn(state);
  const hash = opening?.membersHash ?? '';
  const tellsMembers = hash !== '' && breaker.membersToTell === hash;
  breaker.membersToTell = '';
  const stretch = target.voters.count / fastReportersMax;
  return {
    ...blankVerdict,
    target: target.key,
    zone: breaker.zone,
    state: state.state,
    generation: breaker.generation,
    epoch,
    openedAtWallMs: opening?.openedAtWallMs ?? 0,
    coolMs: opening?.coolMs ?? 0,
    ttlMs: verdictTtlMs,
    membersHash: hash,
    members: tellsMembers ? (opening?.members ?? []) : [],
    allow: allowIn(state),
    evidence: breaker.evidence,
    sentAtWallMs: wallMs,
    expiresInMs: leftMs(state, nowMs),
    suspects: [...target.suspects.named],
    ejected: target.endpoints.ejected(nowMs),
    reportEveryMs: stretch > 1 ? Math.min(slowMs, Math.round(fastMs * stretch)) : 0,
    askTarget: target.isAsking(nowMs),
  };
}

export function grantsOf(target: FleetTarget, breaker: FleetBreaker, epoch: string): TokenGrant[] {
  const { generation, tokensToGive } = breaker;
  breaker.tokensToGive = [];
  return tokensToGive.map(({ to, first, count, healthCheck }) => ({
    to: to.speaker.identity,
    answersSeq: to.speaker.seq,
    epoch,
    tokens: Array.from({ length: count }, (_, i) => ({
      target: target.key,
      generation,
      round: generation,
      k: first + i,
      ttlMs: tokenTtlMs,
      healthCheck,
    })),
  }));
}

export function readingOf(
  target: FleetTarget,
  breaker: FleetBreaker,
  epoch: string,
  nowMs: number,
): FleetBreakerReading {
  const { state, generation, evidence, sinceMs, zone } = breaker;
  const opening = openingIn(state);
  return {
    target: target.key,
    zone,
    state: state.state,
    generation,
    epoch,
    sinceMs,
    openedAtWallMs: opening?.openedAtWallMs ?? null,
    coolMs: opening?.coolMs ?? 0,
    evidence,
    callers: target.voters.of(zone).size,
    suspects: [...target.suspects.named],
    ejected: target.endpoints.ejected(nowMs),
    expiresInMs: state.state === 'forced_open' || state.state === 'forced_closed' ? leftMs(state, nowMs) : null,
  };
}

function leftMs(state: FleetState, nowMs: number): number {
  if (state.state !== 'forced_open' && state.state !== 'forced_closed') return 0;
  return Math.max(1, Math.round(state.untilMs - nowMs));
}
