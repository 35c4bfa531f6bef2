/**
 * One round of probes: five tokens, each given once to one caller, and what the holders report of them. However many
 * callers there are, the target sees no more than five requests of a round.
 *
 * A token answers a report that the leader has just heard, and dies with its time to live on the holder's clock, counted
 * from before that report was sent. So when the round has lasted that long, no token of it can still be used, whatever
 * was delayed. What a holder never reported has failed; what it says it did not use says nothing about the target.
 */
import type { TargetCounts } from '../../proto/fleet-messages.ts';
import type { Random } from '../../proto/kernel/random.ts';
import type { Voter } from './voters.ts';

export const probesPerRound = 5;
export const tokenTtlMs = 1000;
/** After the last token died, for reports under way. */
export const roundGraceMs = 200;
/** With an older report the token would be dead before it could be used. */
const reportFreshMs = 400;
const demandFreshMs = 2000;
const successMin = 0.8;
/** Successes that a ramp needs, over consecutive rounds without demand enough. */
const successesMin = 3;

export interface TokenShare {
  readonly to: Voter;
  readonly first: number;
  readonly count: number;
  readonly healthCheck: boolean;
}

export type RoundResult =
  | { readonly kind: 'wait' }
  /** Too few were used to say anything. */
  | { readonly kind: 'again'; readonly ok: number }
  | { readonly kind: 'passed' | 'failed'; readonly ok: number; readonly failed: number };

interface Holding {
  readonly granted: number;
  used: number;
  ok: number;
  failed: number;
  live: boolean;
}

export class ProbeRound {
  readonly number: number;
  readonly shares: readonly TokenShare[];
  private readonly holders = new Map<string, Holding>();
  private readonly endsAtMs: number;
  /** Of rounds before that said too little. */
  private readonly carriedOk: number;
  private readonly isCheck: boolean;

  constructor(number: number, shares: readonly TokenShare[], carriedOk: number, nowMs: number) {
    this.number = number;
    this.shares = shares;
    this.carriedOk = carriedOk;
    this.endsAtMs = nowMs + tokenTtlMs + roundGraceMs;
    this.isCheck = shares.some(({ healthCheck }) => healthCheck);
    for (const { to, count } of shares) {
      this.holders.set(to.key, { granted: count, used: 0, ok: 0, failed: 0, live: true });
    }
  }

  hear(caller: string, row: TargetCounts): void {
    const holder = this.holders.get(caller);
    if (holder === undefined || row.round !== this.number) return;
    // Reports overtake each other; what was once known stays so.
    holder.used = Math.max(holder.used, Math.min(row.tokensUsed, holder.granted));
    holder.ok = Math.max(holder.ok, Math.min(row.probesOk, holder.granted));
    holder.failed = Math.max(holder.failed, Math.min(row.probesFailed, holder.granted - holder.ok));
    if (!row.tokensLive) holder.live = false;
  }

  judge(nowMs: number): RoundResult {
    let ok = 0;
    let failed = 0;
    let pending = 0;
    for (const holder of this.holders.values()) {
      ok += holder.ok;
      failed += holder.failed;
      pending += Math.max(0, (holder.live ? holder.granted : holder.used) - holder.ok - holder.failed);
    }
    const isOver = pending === 0 || nowMs >= this.endsAtMs;
    if (isOver) failed += pending;
    const known = ok + failed + (isOver ? 0 : pending);
    if (known - failed < successMin * known) return { kind: 'failed', ok, failed };
    const needed = this.isCheck ? 1 : successesMin;
    if (ok >= successMin * known && ok + this.carriedOk >= needed && ok > 0) return { kind: 'passed', ok, failed };
    return isOver ? { kind: 'again', ok: ok + this.carriedOk } : { kind: 'wait' };
  }
}

/**
 * Who gets the tokens: callers that want something and have just reported, the busiest first, a zone at a time. With
 * fewer callers than tokens the busy ones get several. Where nobody wants anything, one caller asks for itself.
 */
export function shareTokens(
  voters: Iterable<Voter>,
  suspects: ReadonlySet<string>,
  random: Random,
  nowMs: number,
): TokenShare[] {
  const present = [...voters].filter((voter) => nowMs - voter.spokeAtMs <= reportFreshMs && !suspects.has(voter.key));
  const wanting = present.filter((voter) => nowMs - voter.demandAtMs <= demandFreshMs);
  if (wanting.length === 0) {
    const one = present[Math.floor(random.next() * present.length)];
    return one === undefined ? [] : [{ to: one, first: 0, count: 1, healthCheck: true }];
  }
  const chosen = acrossZones(wanting, random);
  const counts = chosen.map(() => 0);
  // Beyond a second's demand a token would not be used; the first is everybody's.
  for (let left = probesPerRound, turn = 0; left > 0 && turn < probesPerRound; turn++) {
    for (let i = 0; i < chosen.length && left > 0; i++) {
      if (turn > 0 && chosen[i]!.demandPerSecond < turn + 1) continue;
      counts[i]! += 1;
      left--;
    }
  }
  let first = 0;
  return chosen.map((to, i) => {
    const share = { to, first, count: counts[i]!, healthCheck: false };
    first += counts[i]!;
    return share;
  });
}

function acrossZones(wanting: readonly Voter[], random: Random): Voter[] {
  const zones = new Map<string, { voter: Voter; rank: number }[]>();
  for (const voter of wanting) {
    // Among busy callers chance decides, so that not always the same ones are asked.
    const ranked = { voter, rank: Math.min(voter.demandPerSecond, 5) + random.next() };
    const zone = zones.get(voter.zone);
    if (zone === undefined) zones.set(voter.zone, [ranked]);
    else zone.push(ranked);
  }
  const queues = [...zones.values()];
  for (const queue of queues) queue.sort((a, b) => b.rank - a.rank);
  const chosen: Voter[] = [];
  for (let depth = 0; chosen.length < probesPerRound && queues.some((queue) => queue.length > depth); depth++) {
    for (const queue of queues) {
      const next = queue[depth];
      if (next !== undefined && chosen.length < probesPerRound) chosen.push(next.voter);
    }
  }
  return chosen;
}
