/**
 * Where one sidecar stands with the fleet about one target: the verdict it obeys, the tokens it holds, and what it does
 * when the leader falls silent. It tells the breaker; requests never come here.
 *
 *   heard within ttl ──────────▶ the leader's word
 *   silent, open or half-open ──▶ probes by time slots; three successes of the fleet ──▶ a ramp by its own clock
 *   silent, ramp ──────────────▶ the ramp goes on by its own clock
 *   silent for 30 to 60 s ─────▶ the local breaker alone, each caller at another time
 *   forced ────────────────────▶ until it expires, leader or no leader
 */
import { blankCounts } from '../../proto/fleet-blanks.ts';
import type { ProbeToken, TargetCounts as Row, SlotResult, Verdict } from '../../proto/fleet-messages.ts';
import { SlotSuccesses, slotAt, slotSkewMaxMs } from '../../proto/fleet-slots.ts';
import type { Random } from '../../proto/kernel/random.ts';
import type { Breaker } from './breaker.ts';
import { BreakerState, parseBreakerState } from './breaker-state.ts';
import { DemandRate } from './demand-rate.ts';
import { OwnRamp } from './own-ramp.ts';
import type { TargetCounts } from './target-counts.ts';

/** A service that this sidecar calls, as the fleet concerns it. */
export interface FleetTarget {
  readonly key: string;
  /** The one in force; null where there is none. */
  readonly breaker: Breaker | null;
  readonly counts: TargetCounts;
  /** Endpoints that the fleet does not use; absent where nobody obeys. */
  setEjected?(addresses: readonly string[]): void;
}

/** However long a leader says: a verdict without a leader must end. */
const forcedMaxMs = 24 * 3600 * 1000;
const aloneAfterMs = 30_000;
const skewsKept = 4;

interface Grant {
  readonly epoch: string;
  readonly round: number;
  /** Of a time slot, and not of a leader's round. */
  readonly slot: boolean;
  /** It came when it could not be used. */
  readonly refused: boolean;
  readonly healthCheck: boolean;
  readonly checkAtMs: number;
  settled: boolean;
}

export class FleetStanding {
  readonly target: FleetTarget;
  private readonly self: string;
  private readonly random: Random;
  private verdict: Verdict | null = null;
  private heardAtMs = 0;
  /** The breaker that has been told. */
  private told: Breaker | null = null;
  private rank = -1;
  private members = 0;
  private rankHash = '';
  private skewsMs: number[] = [];
  /** Drawn once per opening, so that not all callers do the same at once. */
  private patience = 0;
  private patienceHash = '';
  private readonly demand = new DemandRate();
  private readonly slots = new SlotSuccesses();
  private ramp: OwnRamp | null = null;
  /** A ramp of its own has failed. */
  private hasFallenBack = false;
  private grant: Grant | null = null;
  private grantSerial = 0;
  private lastSlot = -1;
  private readonly tokens = { round: 0, held: 0, used: 0, ok: 0, failed: 0, live: false };
  private ejected: readonly string[] = [];
  isSuspect = false;

  constructor(target: FleetTarget, self: string, random: Random) {
    this.target = target;
    this.self = self;
    this.random = random;
  }

  get epoch(): string {
    return this.verdict?.epoch ?? '';
  }

  get last(): Verdict | null {
    return this.verdict;
  }

  /** Whether the leader should hear of this target often. */
  isTroubled(): boolean {
    const { breaker } = this.target;
    return breaker !== null && (breaker.state !== BreakerState.closed || breaker.fleetState !== BreakerState.closed);
  }

  /** False when it is older than the one that is known. */
  onVerdict(verdict: Verdict, nowMs: number, wallMs: number): boolean {
    if (this.verdict !== null && isOlder(verdict, this.verdict)) return false;
    if (parseBreakerState(verdict.state) === undefined) return false;
    this.verdict = verdict;
    this.heardAtMs = nowMs;
    this.ramp = null;
    this.hasFallenBack = false;
    if (verdict.sentAtWallMs > 0) this.skewsMs = [...this.skewsMs, wallMs - verdict.sentAtWallMs].slice(-skewsKept);
    if (verdict.membersHash !== this.patienceHash) this.beginOpening(verdict.membersHash);
    if (verdict.members.length > 0) {
      this.rank = verdict.members.indexOf(this.self);
      this.members = verdict.members.length;
      this.rankHash = verdict.membersHash;
    }
    this.isSuspect = verdict.suspects.includes(this.self);
    if (verdict.ejected.join() !== this.ejected.join()) {
      this.ejected = verdict.ejected;
      this.target.setEjected?.(verdict.ejected);
    }
    this.apply(nowMs);
    return true;
  }

  /** `sentAtMs`: when the report that it answers was sent; from then on the tokens' time runs. */
  onTokens(tokens: readonly ProbeToken[], epoch: string, sentAtMs: number, nowMs: number): void {
    const first = tokens[0];
    const { breaker } = this.target;
    if (first === undefined || breaker === null || this.verdict === null || !this.isNews(epoch, first)) return;
    const untilMs = sentAtMs + Math.min(...tokens.map(({ ttlMs }) => ttlMs));
    const isShut = breaker.fleetState === BreakerState.open || breaker.fleetState === BreakerState.halfOpen;
    const healthCheck = tokens.some((token) => token.healthCheck);
    const checkAtMs = healthCheck ? nowMs : (sentAtMs + untilMs) / 2;
    this.grant = { epoch, round: first.round, slot: false, refused: !isShut, healthCheck, checkAtMs, settled: false };
    if (isShut) breaker.grant(++this.grantSerial, tokens.length, untilMs);
  }

  onSlotResult({ membersHash, slot, ok }: SlotResult, nowMs: number): void {
    if (membersHash !== '' && membersHash === this.verdict?.membersHash) this.slots.hear(slot, ok, nowMs);
  }

  /** Another breaker is in force since a policy changed. */
  refresh(nowMs: number): void {
    if (this.told !== this.target.breaker) this.apply(nowMs);
  }

  /** Lets time pass; the result of a probe in a slot, when there is one to tell. */
  tick(nowMs: number, wallMs: number): { readonly slot: number; readonly ok: boolean } | null {
    const { breaker } = this.target;
    if (breaker === null || this.verdict === null || breaker.fleetState === BreakerState.closed) return null;
    breaker.tick(nowMs);
    const result = this.takeSlotResult(breaker, nowMs);
    if (result !== null) this.slots.hear(result.slot, result.ok, nowMs);
    const { state, ttlMs } = this.verdict;
    const isForced = state === 'forced_open' || state === 'forced_closed';
    if (isForced || nowMs - this.heardAtMs <= ttlMs || !this.isTroubledByFleet(breaker)) return result;
    if (this.ramp === null && (breaker.fleetState === BreakerState.ramp || this.slots.areEnough(nowMs))) {
      this.ramp = new OwnRamp(breaker.fleetState === BreakerState.ramp ? this.verdict.allow : 0, nowMs);
      this.slots.clear();
    }
    if (this.ramp === null) this.trySlot(breaker, nowMs, wallMs);
    else if (this.ramp.tick(breaker.state === BreakerState.open, nowMs)) {
      this.apply(nowMs);
      // What began too early begins again with slots.
      if (this.ramp.state === 'open') {
        this.hasFallenBack = true;
        this.ramp = null;
      }
    }
    return result;
  }

  /**
   * The generation of a probe by which this caller is to ask the target itself: one that nobody's request has used
   * halfway through its time, or that was given for that. 0: none.
   */
  takeCheck(nowMs: number): number {
    const { breaker } = this.target;
    if (breaker === null || this.grant === null || this.grant.slot || nowMs < this.grant.checkAtMs) return 0;
    breaker.readTokens(this.tokens, nowMs);
    if (!this.tokens.live || breaker.tryAcquire(nowMs) > 0 || !breaker.lastAcquireWasProbe) return 0;
    return breaker.generation;
  }

  /** The interval's counts and all that goes with them. */
  row(intervalMs: number, nowMs: number): Row {
    const { target, verdict } = this;
    const counts = target.counts.drain();
    if (!this.isTroubled()) this.demand.record(counts.demand, intervalMs);
    const row = { ...blankCounts, target: target.key, generation: verdict?.generation ?? 0, ...counts };
    const { breaker } = target;
    if (breaker === null || verdict === null) return row;
    return { ...row, ...this.tokenFields(breaker, nowMs), ...this.claim(breaker, verdict) };
  }

  private tokenFields(breaker: Breaker, nowMs: number): Partial<Row> {
    const { grant, tokens } = this;
    if (grant === null || grant.slot) return {};
    if (grant.refused) return { round: grant.round };
    breaker.readTokens(tokens, nowMs);
    return {
      round: grant.round,
      tokensHeld: tokens.held,
      tokensUsed: tokens.used,
      probesOk: tokens.ok,
      probesFailed: tokens.failed,
      tokensLive: tokens.live,
    };
  }

  private claim(breaker: Breaker, { openedAtWallMs, membersHash }: Verdict): Partial<Row> {
    if (breaker.fleetState === BreakerState.closed) return {};
    const fleetState = breaker.fleetState === BreakerState.ramp ? 'ramp' : 'open';
    return { fleetState, openedAtWallMs, membersHash };
  }

  /** Asked anew, since the breaker lets time pass. */
  private isTroubledByFleet({ fleetState }: Breaker): boolean {
    return fleetState !== BreakerState.closed;
  }

  private isNews(epoch: string, { generation, round }: ProbeToken): boolean {
    if (this.verdict !== null && epoch < this.verdict.epoch) return false;
    if (this.verdict !== null && epoch === this.verdict.epoch && generation < this.verdict.generation) return false;
    const before = this.grant;
    return before === null || before.slot || epoch > before.epoch || (epoch === before.epoch && round > before.round);
  }

  private beginOpening(membersHash: string): void {
    this.patienceHash = membersHash;
    this.patience = this.random.next();
    this.slots.clear();
  }

  private apply(nowMs: number): void {
    const { verdict, ramp } = this;
    const { breaker } = this.target;
    this.told = breaker;
    if (breaker === null || verdict === null) return;
    const { generation, epoch, coolMs, evidence, expiresInMs } = verdict;
    const lastsMs =
      expiresInMs > 0 ? Math.min(expiresInMs, forcedMaxMs) : verdict.ttlMs + aloneAfterMs * (1 + this.patience);
    const ttlMs = this.heardAtMs + lastsMs - nowMs;
    if (ttlMs <= 0) return;
    const state = ramp?.state ?? (this.hasFallenBack ? 'open' : verdict.state);
    const allow = ramp === null ? verdict.allow : ramp.allow;
    const { perSecond: demandPerSecond } = this.demand;
    const text = evidence?.text ?? '';
    const share = { allow, demandPerSecond, headStart: this.patience };
    breaker.applyFleet({ state, generation, epoch, ttlMs, coolMs, evidence: text, ...share }, nowMs);
  }

  private trySlot(breaker: Breaker, nowMs: number, wallMs: number): void {
    const { verdict } = this;
    if (verdict === null || this.rank < 0 || verdict.membersHash !== this.rankHash) return;
    const skewMs = Math.min(...this.skewsMs.map(Math.abs));
    if (skewMs > slotSkewMaxMs) return;
    const { number, leftMs } = slotAt(wallMs, verdict.openedAtWallMs);
    if (leftMs <= 0 || number % this.members !== this.rank || number === this.lastSlot) return;
    this.lastSlot = number;
    const about = { epoch: verdict.epoch, round: number, healthCheck: false, checkAtMs: Number.POSITIVE_INFINITY };
    this.grant = { ...about, slot: true, refused: false, settled: false };
    breaker.grant(++this.grantSerial, 1, nowMs + leftMs);
  }

  private takeSlotResult(breaker: Breaker, nowMs: number): { slot: number; ok: boolean } | null {
    const { grant, tokens } = this;
    if (grant === null || !grant.slot || grant.settled) return null;
    breaker.readTokens(tokens, nowMs);
    if (tokens.ok + tokens.failed === 0) return null;
    grant.settled = true;
    return { slot: grant.round, ok: tokens.ok > 0 };
  }
}

function isOlder(verdict: Verdict, than: Verdict): boolean {
  if (verdict.epoch !== than.epoch) return verdict.epoch < than.epoch;
  return verdict.generation < than.generation;
}
