/**
 * One sidecar's part in the fleet's breakers: what it says, when, and what becomes of what it hears. Pure: messages and
 * time come in, messages go out, so that a simulation runs hundreds of them and the control link runs one.
 *
 *   out   a report per shard (counts, tokens) · results of probes in time slots · "ask this target how it is"
 *   in    verdicts · grants, which answer a report · others' results
 */
import { blankCounts } from '../../proto/fleet-blanks.ts';
import type { Grant, Identity, Report, TargetCounts as Row, SlotResult, Verdict } from '../../proto/fleet-messages.ts';
import type { Random } from '../../proto/kernel/random.ts';
import { serviceKey, shardOf } from '../../proto/subjects.ts';
import { FleetStanding, type FleetTarget } from './fleet-standing.ts';
import { alertIntervalMs, ReportSchedule } from './report-schedule.ts';

export type { FleetTarget } from './fleet-standing.ts';

/** Counts since the start of what reached the own app. */
export interface OwnTraffic {
  readonly requests: number;
  readonly success: number;
  readonly failure: number;
}

export interface FleetCallerOptions {
  readonly identity: Identity;
  readonly random: Random;
  /** How the own app fares, for when the fleet asks; null where there is none. */
  readonly own: (() => OwnTraffic) | null;
  /** Of all reports of this process. */
  readonly nextSeq: () => number;
}

export type SaidReport = Omit<Report, 'v' | 'quotas'>;

export type Outgoing =
  | { readonly kind: 'report'; readonly shard: number; readonly report: SaidReport }
  | { readonly kind: 'slot'; readonly target: string; readonly result: Omit<SlotResult, 'v'> }
  /** To ask it how it is, and to record the answer with its breaker as that probe. */
  | { readonly kind: 'check'; readonly target: FleetTarget; readonly generation: number };

interface Shard {
  readonly number: number;
  readonly schedule: ReportSchedule;
  readonly standings: FleetStanding[];
  sinceMs: number;
  saidNothing: boolean;
}

/** Reports whose time of sending is remembered, for grants that answer them: those of a second, from every shard. */
const sentKept = 1024;
/** So long after it was asked, the own service is reported on ten times a second. */
const askedForMs = 1000;

export class FleetCaller {
  private readonly identity: Identity;
  private readonly key: string;
  private readonly self: string;
  private readonly random: Random;
  private readonly own: (() => OwnTraffic) | null;
  private readonly shards = new Map<number, Shard>();
  private readonly standings = new Map<string, FleetStanding>();
  private readonly sentAtMs = new Float64Array(sentKept);
  private readonly sentSeq = new Float64Array(sentKept);
  private readonly nextSeq: () => number;
  private ownBefore: OwnTraffic = { requests: 0, success: 0, failure: 0 };
  private ownSinceMs = 0;
  private ownDueAtMs = Number.POSITIVE_INFINITY;
  private askedUntilMs = Number.NEGATIVE_INFINITY;

  constructor({ identity, random, own, nextSeq }: FleetCallerOptions) {
    this.identity = identity;
    this.key = serviceKey(identity);
    this.self = `${this.key}/${identity.instance}`;
    this.random = random;
    this.own = own;
    this.nextSeq = nextSeq;
  }

  follow(target: FleetTarget, nowMs: number): void {
    const standing = new FleetStanding(target, this.self, this.random);
    this.standings.set(target.key, standing);
    this.shard(shardOf(target.key), nowMs).standings.push(standing);
  }

  standing(target: string): FleetStanding | undefined {
    return this.standings.get(target);
  }

  /** A failure was counted, or a breaker changed its state: marks, and leaves the sending to the next tick. */
  hurry(target: string, nowMs: number): boolean {
    return this.shards.get(shardOf(target))?.schedule.failed(nowMs) ?? false;
  }

  /** A probe was answered: the fleet waits for that. */
  onProbe(target: string, nowMs: number): void {
    this.shards.get(shardOf(target))?.schedule.soon(nowMs);
  }

  onVerdict(verdict: Verdict, nowMs: number, wallMs: number): boolean {
    if (verdict.zone !== '' && verdict.zone !== this.identity.zone) return false;
    if (verdict.target === this.key && verdict.askTarget) this.beAsked(nowMs);
    return this.standings.get(verdict.target)?.onVerdict(verdict, nowMs, wallMs) ?? false;
  }

  onGrant(grant: Grant, nowMs: number): void {
    if (grant.incarnation !== this.identity.incarnation) return;
    const at = grant.answersSeq % sentKept;
    if (this.sentSeq[at] !== grant.answersSeq) return;
    const byTarget = new Map<string, Grant['tokens'][number][]>();
    for (const token of grant.tokens) {
      const tokens = byTarget.get(token.target);
      if (tokens === undefined) byTarget.set(token.target, [token]);
      else tokens.push(token);
    }
    for (const [target, tokens] of byTarget) {
      this.standings.get(target)?.onTokens(tokens, grant.epoch, this.sentAtMs[at]!, nowMs);
      this.onProbe(target, nowMs);
    }
  }

  onSlotResult(result: SlotResult, nowMs: number): void {
    this.standings.get(result.target)?.onSlotResult(result, nowMs);
  }

  /** When the next tick is due. */
  get nextAtMs(): number {
    let nextAtMs = this.ownDueAtMs;
    for (const { schedule } of this.shards.values()) nextAtMs = Math.min(nextAtMs, schedule.dueAtMs);
    return nextAtMs;
  }

  /** Takes the steps that are due and answers what to send. While not connected, what is counted says nothing later. */
  tick(nowMs: number, wallMs: number, connected: boolean): Outgoing[] {
    const out: Outgoing[] = [];
    for (const shard of this.shards.values()) {
      if (!shard.schedule.isDue(nowMs)) continue;
      for (const standing of shard.standings) this.step(standing, nowMs, wallMs, out);
      this.report(shard, nowMs, connected, out);
    }
    if (nowMs >= this.ownDueAtMs) this.reportOwn(nowMs, connected, out);
    return out;
  }

  private step(standing: FleetStanding, nowMs: number, wallMs: number, out: Outgoing[]): void {
    standing.refresh(nowMs);
    const found = standing.tick(nowMs, wallMs);
    const { target } = standing;
    if (found !== null) {
      const { slot, ok } = found;
      const membersHash = standing.last?.membersHash ?? '';
      const result = { identity: this.identity, target: target.key, membersHash, slot, ok };
      out.push({ kind: 'slot', target: target.key, result });
    }
    const generation = standing.takeCheck(nowMs);
    if (generation > 0) out.push({ kind: 'check', target, generation });
  }

  private report(shard: Shard, nowMs: number, connected: boolean, out: Outgoing[]): void {
    const intervalMs = Math.max(1, Math.round(nowMs - shard.sinceMs));
    let epochSeen = '';
    let isTroubled = false;
    let nothing = true;
    let everyMs = alertIntervalMs;
    const targets = shard.standings.map((standing): Row => {
      const row = standing.row(intervalMs, nowMs);
      if (standing.epoch > epochSeen) epochSeen = standing.epoch;
      if (row.fail > 0 || standing.isTroubled()) isTroubled = true;
      if (row.n > 0 || row.demand > 0 || row.shed > 0 || row.localFail > 0) nothing = false;
      everyMs = Math.max(everyMs, Math.min(1000, standing.last?.reportEveryMs ?? 0));
      return row;
    });
    shard.sinceMs = nowMs;
    shard.schedule.reported(isTroubled, nowMs, everyMs);
    // Without demand there is still somebody who could probe.
    if (!connected || (nothing && shard.saidNothing && !isTroubled)) return;
    shard.saidNothing = nothing;
    this.send(shard.number, { epochSeen, intervalMs, targets }, nowMs, out);
  }

  private send(shard: number, report: Omit<SaidReport, 'identity' | 'seq'>, nowMs: number, out: Outgoing[]): void {
    const seq = this.nextSeq();
    this.sentSeq[seq % sentKept] = seq;
    this.sentAtMs[seq % sentKept] = nowMs;
    out.push({ kind: 'report', shard, report: { identity: this.identity, seq, ...report } });
  }

  private beAsked(nowMs: number): void {
    if (this.own === null) return;
    if (nowMs >= this.askedUntilMs) {
      // The first answer is about the last moments only, and a second of health must not hide them.
      this.ownBefore = this.own();
      this.ownSinceMs = nowMs;
      this.ownDueAtMs = nowMs + alertIntervalMs / 2;
    }
    this.askedUntilMs = nowMs + askedForMs;
  }

  private reportOwn(nowMs: number, connected: boolean, out: Outgoing[]): void {
    const isOver = this.own === null || nowMs >= this.askedUntilMs;
    this.ownDueAtMs = isOver ? Number.POSITIVE_INFINITY : nowMs + alertIntervalMs;
    if (this.own === null || isOver) return;
    const traffic = this.own();
    const before = this.ownBefore;
    const fail = traffic.failure - before.failure;
    const n = traffic.success - before.success + fail;
    const demand = traffic.requests - before.requests;
    const intervalMs = Math.max(1, Math.round(nowMs - this.ownSinceMs));
    this.ownBefore = traffic;
    this.ownSinceMs = nowMs;
    if (!connected) return;
    const targets = [{ ...blankCounts, target: this.key, n, fail, demand }];
    this.send(shardOf(this.key), { epochSeen: '', intervalMs, targets }, nowMs, out);
  }

  private shard(number: number, nowMs: number): Shard {
    const known = this.shards.get(number);
    if (known) return known;
    const schedule = new ReportSchedule(nowMs, this.random);
    const shard = { number, schedule, standings: [], sinceMs: nowMs, saidNothing: true };
    this.shards.set(number, shard);
    return shard;
  }
}
