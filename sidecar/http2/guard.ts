/**
 * How much a peer may make us do for nothing. HTTP/2 has many frames that cost their sender nothing and us some work, or
 * an answer, or memory; each has a budget here, and a peer beyond one loses its connection. Budgets are plain numbers:
 * rates are refilled from `nowMs`, counts grow with what the peer did that was of use (streams, DATA we could send), so
 * that a busy peer may do more and an idle one cannot. Nothing is allocated per frame.
 *
 * Resets have no rate of their own. A fixed one punishes good clients: they cancel most under overload, when their
 * deadlines pass (envoy#30882). What tells rapid reset (CVE-2023-44487) and MadeYouReset (CVE-2025-8671) from them is
 * that nearly all streams end early, unanswered and before any deadline: see `QuickResets`.
 */
import type { ConnectionLimits } from './limits.ts';

/** What every peer may send, however little it did: Envoy's base for WINDOW_UPDATE. */
const windowUpdatesBase = 5;
const windowUpdatesFactor = 2;
/** Resets beyond the number of streams, for the races between two ends of a stream. */
const spareResets = 100;
/** PINGs that DATA frames may save up for: a slow client's come long after the frames that they answer. */
const pingsSavedMax = 10_000;
/** A connection whose oddities reach this share is told to go elsewhere with new streams. */
const glitchWarningShare = 0.75;
/** Bytes of a silent connection may have waited for us that long before we read them. */
const readGapMaxMs = 100;
/** Timers at both ends of a deadline do not tick alike. */
const deadlineSlackShare = 0.1;

export const GlitchVerdict = { fine: 0, warn: 1, over: 2 } as const;

/** What is asked of a stream that was reset. */
export interface ResetFacts {
  /** When it was opened, whole ms as an int32. */
  readonly openedMs: number;
  /** How long before that its head may have been waiting for us. */
  readonly openedLateMs: number;
  /** A response head went out. */
  readonly isAnswered: boolean;
  readonly handler: { readonly deadlineMs?: number } | null;
}

export class Guard {
  /** Now, as of the last entry from the shell. */
  nowMs = 0;
  /** How long the bytes being read may have been waiting for us, ms. */
  readGapMs = 0;

  private readonly limits: ConnectionLimits;
  private readonly settings: RateBudget;
  private readonly pings: RateBudget;
  private readonly quickResets: QuickResets;
  /** A caller could claim deadlines of a millisecond: what they excuse has a rate. */
  private readonly deadlineCancels: RateBudget;
  private streams = 0;
  private dataFramesPaid = 0;
  private windowUpdates = 0;
  private priorities = 0;
  private resets = 0;
  private emptyData = 0;
  private glitches = 0;
  private glitchesMs = 0;
  private isWarned = false;

  constructor(limits: ConnectionLimits) {
    this.limits = limits;
    this.settings = new RateBudget(limits.settingsPerSecond, limits.settingsBurst);
    this.pings = new RateBudget(limits.pingsPerSecond, limits.pingsPerSecond);
    this.deadlineCancels = new RateBudget(limits.deadlineCancelsPerSecond, limits.deadlineCancelsPerSecond);
    this.quickResets = new QuickResets(limits.resetWindowStreams, limits.resetSharePercentMax);
  }

  /** Bytes came. */
  onReceive(nowMs: number): void {
    this.readGapMs = Math.min(nowMs - this.nowMs, readGapMaxMs) | 0;
    this.nowMs = nowMs;
  }

  /** A stream was begun, by either side, whatever becomes of it. */
  onStream(): void {
    this.streams++;
  }

  // Each of these is false when the peer has gone too far.

  onSettings(): boolean {
    return this.settings.take(this.nowMs);
  }

  /** grpc-go measures bandwidth by a PING on data, so each DATA frame pays for one. */
  onPing(dataFramesSent: number): boolean {
    this.pings.add(dataFramesSent - this.dataFramesPaid, pingsSavedMax);
    this.dataFramesPaid = dataFramesSent;
    return this.pings.take(this.nowMs);
  }

  onWindowUpdate(dataFramesSent: number): boolean {
    const paidFor = this.streams + this.limits.windowUpdatesPerDataFrame * dataFramesSent;
    return ++this.windowUpdates <= windowUpdatesBase + windowUpdatesFactor * paidFor;
  }

  /** PRIORITY, and PRIORITY_UPDATE (RFC 9218), which is as idle toward us. */
  onPriority(): boolean {
    return ++this.priorities <= this.limits.prioritiesPerStream * (1 + this.streams);
  }

  /** A stream can be reset once: RST_STREAM beyond the number of streams mean nothing. */
  onReset(): boolean {
    return ++this.resets <= this.streams + spareResets;
  }

  onEmptyData(): boolean {
    return ++this.emptyData <= this.limits.emptyDataFramesMax;
  }

  onContent(): void {
    if (this.emptyData > 0) this.emptyData--;
  }

  /** Something odd that we put up with. */
  onGlitch(): number {
    const { glitchesMax, glitchesPerSecond } = this.limits;
    const forgotten = ((this.nowMs - this.glitchesMs) * glitchesPerSecond) / 1000;
    this.glitchesMs = this.nowMs;
    this.glitches = Math.max(0, this.glitches - forgotten) + 1;
    if (this.glitches >= glitchesMax) return GlitchVerdict.over;
    if (this.isWarned || this.glitches < glitchesMax * glitchWarningShare) return GlitchVerdict.fine;
    this.isWarned = true;
    return GlitchVerdict.warn;
  }

  /** A stream ended in order, or we ended it: it counts as one of the good ones. */
  onGoodEnd(): void {
    this.quickResets.onGood();
  }

  /** The peer reset a stream, or made us reset it. */
  onAbruptEnd(stream: ResetFacts): boolean {
    if (!this.isEarly(stream)) {
      this.quickResets.onGood();
      return true;
    }
    return this.quickResets.onBad();
  }

  /** A request that was no request: it never became a stream. */
  onMalformedRequest(): boolean {
    return this.quickResets.onBad();
  }

  private isEarly(stream: ResetFacts): boolean {
    if (stream.isAnswered) return false;
    // Both are int32, so the difference holds over the wrap.
    const ageMs = ((this.nowMs | 0) - stream.openedMs) | 0;
    if (ageMs >= this.limits.resetWithinMs) return false;
    const deadlineMs = stream.handler?.deadlineMs ?? 0;
    if (deadlineMs === 0) return true;
    // What was in the socket's buffer with its own reset was opened earlier than we saw it.
    const leftMs = deadlineMs - this.nowMs - stream.openedLateMs;
    const isBefore = leftMs > (leftMs + ageMs + stream.openedLateMs) * deadlineSlackShare;
    return isBefore || !this.deadlineCancels.take(this.nowMs);
  }
}

/** So many a second, and so many at once. */
export class RateBudget {
  private left: number;
  private refilledMs = 0;
  private readonly perMs: number;
  private readonly burst: number;

  constructor(perSecond: number, burst: number) {
    this.perMs = perSecond / 1000;
    this.burst = burst;
    this.left = burst;
  }

  take(nowMs: number): boolean {
    if (this.left < this.burst) this.left = Math.min(this.burst, this.left + (nowMs - this.refilledMs) * this.perMs);
    this.refilledMs = nowMs;
    if (this.left < 1) return false;
    this.left--;
    return true;
  }

  /** More than refills, up to `savedMax` above the burst. */
  add(count: number, savedMax: number): void {
    if (count > 0) this.left = Math.min(this.burst + savedMax, this.left + count);
  }
}

/** Which of the last streams were reset early: one bit each, and no memory before there was a first one. */
class QuickResets {
  private readonly size: number;
  private readonly badMax: number;
  private ring: Uint8Array | null = null;
  private at = 0;
  private bad = 0;

  constructor(size: number, sharePercentMax: number) {
    this.size = size;
    this.badMax = (size * sharePercentMax) / 100;
  }

  onGood(): void {
    if (this.bad > 0) this.push(0);
  }

  /** False when they are too many. */
  onBad(): boolean {
    this.push(1);
    return this.bad <= this.badMax;
  }

  private push(isBad: number): void {
    this.ring ??= new Uint8Array((this.size + 7) >> 3);
    const ring = this.ring;
    const shift = this.at & 7;
    const byte = ring[this.at >> 3]!;
    this.bad += isBad - ((byte >> shift) & 1);
    ring[this.at >> 3] = (byte & ~(1 << shift)) | (isBad << shift);
    this.at = this.at + 1 === this.size ? 0 : this.at + 1;
  }
}
