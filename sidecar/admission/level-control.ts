/**
 * Which priorities a service takes in (DAGOR, SoCC'18): requests whose priority (tier × 128 + user level) lies below the
 * level in force pass, the others are refused before they queue. The level follows from what arrived:
 *
 *   overloaded   mean queueing of a window above its bound → the level below which 95 % of those lay that the service
 *                could take; where the queue had to refuse, 30 % more than that, since that queue looks after itself
 *   else         → the level below which 1 % more lay, then 2 %, 4 % … while next to nobody waits
 *
 * From the paper it differs in three things, all of which it lost seconds by. A window also ends early, at 100 ms, when
 * what it saw is plain. What the queue refused is taken off at once and not in steps of 5 %. And the steps up double, from
 * 10 % on while next to nobody waits. Without the 30 % more the queue ran dry: 83 % goodput, not 90. The
 * level may lie inside a priority: then this share of it passes, so that a service whose callers are all alike is not
 * switched on and off; those of it that come together pass together, since they may be parts of one request.
 *
 * Callers that know the level keep back what would be refused; the few requests that they send all the same say how many
 * they stand for, so the window sees the whole demand.
 *
 * Threads each have a level of their own, over what they saw; they share the queue that it follows.
 */
import { levelCount, userLevelCount } from '../../proto/tiers.ts';
import { togetherMs } from './flow-lines.ts';

export interface LevelSettings {
  /** Mean time in the queue that counts as overload. */
  readonly queueingMaxMs: number;
  readonly windowMs: number;
  /** A window ends at so many requests, too. */
  readonly windowRequests: number;
  /** Share of what was admitted by which a window of overload lowers it. */
  readonly decrease: number;
  /** Share by which another window raises it. */
  readonly increase: number;
  /** Non-essential requests are off while the level refuses any of this tier. */
  readonly nonEssentialTier: number;
  /** … and for so long after. */
  readonly restoreAfterMs: number;
}

/** A plain case ends the window at a multiple of this. */
const lookEveryMs = 100;
/** Fewer requests prove nothing before the window is over. */
const evidenceMin = 20;
/** Of what was let in: refused by the queue behind. */
const refusedShareMax = 0.05;
/** A queue that gives up on those who wait too long is let so much more in than the service can take: it never runs dry. */
const spare = 0.3;
const increaseMax = 4;
/** While next to nobody waits, the queue behind can bear a step up of this. */
const calmStepMin = 0.1;
/** So many of one priority are let in together, or not: part of a request that needs them all would be work for nothing. */
const togetherMax = 16;
/** Nobody came for so long that what was learnt is worth nothing. */
const forgetAfterWindows = 10;
/** The most requests that one may stand for. */
export const withheldMax = 10_000;

export class LevelControl {
  readonly settings: LevelSettings;
  /** Priorities below it pass; a fraction is the share of the priority that it lies in. */
  private cut = levelCount;
  private readonly demand = new Float64Array(levelCount);
  private windowStartMs = Number.NEGATIVE_INFINITY;
  private nextLookMs = 0;
  private arrived = 0;
  /** What arrived, and what its senders kept back. */
  private demanded = 0;
  private admitted = 0;
  private refusedBehind = 0;
  private waited = 0;
  private waitedMs = 0;
  private step: number;
  /** Of the priority in which the level lies: what is owed to it. */
  private owed = 0;
  /** On those of it that come together. */
  private verdict = false;
  private verdictLeft = 0;
  private verdictUntilMs = Number.NEGATIVE_INFINITY;
  private nonEssentialOffUntilMs = Number.NEGATIVE_INFINITY;

  constructor(settings: LevelSettings) {
    this.settings = settings;
    this.step = settings.increase;
  }

  /** What callers are told: nothing at or above it passes. `levelCount` = no level is in force. */
  get level(): number {
    return Math.ceil(this.cut);
  }

  /** Counts the request and says whether it passes. `standsFor`: itself, and what its sender kept back. */
  admits(priority: number, standsFor: number, nowMs: number): boolean {
    if (nowMs >= this.nextLookMs) this.look(nowMs);
    this.demand[priority]! += standsFor;
    this.demanded += standsFor;
    this.arrived++;
    const passes = this.passes(priority, nowMs);
    if (passes) this.admitted++;
    if (this.arrived >= this.settings.windowRequests) this.close(nowMs);
    return passes;
  }

  /** One that passed left the queue for the app, at once or after a wait. */
  recordQueueing(waitMs: number): void {
    this.waited++;
    this.waitedMs += waitMs;
  }

  /** One that passed was refused by the queue behind. */
  recordRefusedBehind(): void {
    this.refusedBehind++;
  }

  /** Whether non-essential requests are switched off. */
  isNonEssentialOff(nowMs: number): boolean {
    return nowMs < this.nonEssentialOffUntilMs;
  }

  private passes(priority: number, nowMs: number): boolean {
    if (priority + 1 <= this.cut) return true;
    if (priority >= this.cut) return false;
    this.owed += this.cut - priority;
    if (nowMs >= this.verdictUntilMs || this.verdictLeft === 0) {
      this.verdict = this.owed >= 1;
      this.verdictUntilMs = nowMs + togetherMs;
      this.verdictLeft = togetherMax;
    }
    this.verdictLeft--;
    if (this.verdict) this.owed -= 1;
    return this.verdict;
  }

  private look(nowMs: number): void {
    const { windowMs } = this.settings;
    const elapsedMs = nowMs - this.windowStartMs;
    if (elapsedMs >= windowMs * forgetAfterWindows) {
      this.cut = levelCount;
      this.step = this.settings.increase;
      this.begin(nowMs);
    } else if (elapsedMs >= windowMs || this.isPlain()) this.close(nowMs);
    this.nextLookMs = nowMs + Math.min(lookEveryMs, windowMs);
  }

  private isPlain(): boolean {
    // Callers who hold back send few, which stand for many.
    if (this.demanded < evidenceMin) return false;
    if (this.isOverloaded()) return this.isRefusing() || this.meanQueueingMs() > 2 * this.settings.queueingMaxMs;
    return this.cut < levelCount && this.isCalm();
  }

  private isOverloaded(): boolean {
    return this.isRefusing() || this.meanQueueingMs() > this.settings.queueingMaxMs;
  }

  private isRefusing(): boolean {
    return this.refusedBehind >= evidenceMin && this.refusedBehind >= refusedShareMax * this.admitted;
  }

  /** Next to nobody waits, so the step up may double. */
  private isCalm(): boolean {
    return this.refusedBehind === 0 && this.meanQueueingMs() < this.settings.queueingMaxMs / 4;
  }

  private meanQueueingMs(): number {
    return this.waited === 0 ? 0 : this.waitedMs / this.waited;
  }

  private close(nowMs: number): void {
    const { decrease, increase, nonEssentialTier, restoreAfterMs } = this.settings;
    if (this.isOverloaded()) {
      this.step = increase;
      // What the queue refused may have come in before this window; what went on to the app is what it can take.
      const taken = Math.max(1, this.waited, this.admitted - this.refusedBehind);
      this.cutAt(this.refusedBehind > 0 ? (1 + spare) * taken : (1 - decrease) * taken);
    } else if (this.cut < levelCount) {
      // Something has to come in for the level to rise by.
      this.cutAt((1 + this.step) * Math.max(1, this.admitted));
      this.step = this.isCalm() ? Math.min(increaseMax, Math.max(calmStepMin, this.step * 2)) : increase;
    }
    if (this.cut < (nonEssentialTier + 1) * userLevelCount) this.nonEssentialOffUntilMs = nowMs + restoreAfterMs;
    this.begin(nowMs);
  }

  /** The level below which `wanted` of this window's requests lay. */
  private cutAt(wanted: number): void {
    let below = 0;
    for (let priority = 0; priority < levelCount; priority++) {
      const here = this.demand[priority]!;
      if (below + here > wanted) {
        this.cut = priority + (wanted - below) / here;
        return;
      }
      below += here;
    }
    this.cut = levelCount;
  }

  private begin(nowMs: number): void {
    this.windowStartMs = nowMs;
    this.demand.fill(0);
    this.arrived = 0;
    this.demanded = 0;
    this.admitted = 0;
    this.refusedBehind = 0;
    this.waited = 0;
    this.waitedMs = 0;
  }
}
