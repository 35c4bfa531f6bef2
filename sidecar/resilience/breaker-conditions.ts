/**
 * What opens a breaker, each named by the policy or not there: failures in a row, the share of failures in a window, the
 * share of slow calls in a window. Slow and failed are different questions, so each has a window of its own: a call that
 * fails at its deadline is both, one that is refused at once is only failed.
 */
import { formatDuration } from '../../proto/kernel/duration.ts';
import type { BreakerSettings, ShareCondition } from './breaker-settings.ts';
import { type CallWindow, isSameWindow, windowNumbers, windowOf } from './call-window.ts';
import { Outcome } from './outcome.ts';
import { CallWatch, OverdueCalls } from './overdue-calls.ts';

export class BreakerConditions {
  private consecutiveFailures: number;
  private failureRatio: ShareCondition | null;
  private slowCalls: BreakerSettings['slowCalls'];
  private failures: CallWindow | null;
  private slow: CallWindow | null;
  /** What this thread has under way; null where no call is too slow. */
  private overdue: OverdueCalls | null;
  private failuresInRow = 0;
  /** Calls of this thread that countLate() found. */
  lateTotal = 0;

  constructor({ consecutiveFailures, failureRatio, slowCalls }: BreakerSettings) {
    this.consecutiveFailures = consecutiveFailures;
    this.failureRatio = failureRatio;
    this.slowCalls = slowCalls;
    this.failures = failureRatio && windowOf(failureRatio);
    this.slow = slowCalls && windowOf(slowCalls);
    this.overdue = slowCalls && new OverdueCalls(slowCalls.slowerThanMs);
  }

  /** Whether a call that took so long is a slow one. */
  isSlow(latencyMs: number): boolean {
    return this.slowCalls !== null && latencyMs >= this.slowCalls.slowerThanMs;
  }

  /** A call ended. Answers why the breaker opens, '' when it does not. `watched`: as watch() or answerBegins() said. */
  count(outcome: number, latencyMs: number, watched: number, generation: number, nowMs: number): string {
    const isCounted = this.answerBegins(watched, generation) === CallWatch.counted;
    if (outcome === Outcome.ignored) return '';
    const failed = outcome === Outcome.failure;
    this.failuresInRow = failed ? this.failuresInRow + 1 : 0;
    if (this.failures !== null) this.failures.record(failed, nowMs);
    if (this.slow !== null && !isCounted) this.slow.record(this.isSlow(latencyMs), nowMs);
    if (this.consecutiveFailures > 0 && this.failuresInRow >= this.consecutiveFailures) {
      return `${this.failuresInRow} consecutive failures`;
    }
    const { failures, failureRatio } = this;
    if (failures !== null && failureRatio !== null && isMet(failureRatio, failures)) {
      return `${failures.bad} of ${failures.total} failed${spanOf(failureRatio)}`;
    }
    return this.whySlow();
  }

  /** A call begins. Answers what answerBegins() and count() know it by. */
  watch(generation: number, nowMs: number): number {
    if (this.overdue === null) return CallWatch.none;
    this.overdue.begin(generation, nowMs);
    return nowMs;
  }

  /** The head of an answer came: what follows may take as long as it likes. */
  answerBegins(watched: number, generation: number): number {
    return watched < 0 || this.overdue === null ? watched : this.overdue.end(generation, watched);
  }

  /** Calls under way that have become slow since it was asked last. Answers as count() does. */
  countLate(generation: number, nowMs: number): string {
    if (this.overdue === null || this.slow === null) return '';
    const late = this.overdue.takeLate(generation, nowMs);
    if (late === 0) return '';
    this.lateTotal += late;
    for (let i = 0; i < late; i++) this.slow.record(true, nowMs);
    return this.whySlow();
  }

  private whySlow(): string {
    const { slow, slowCalls } = this;
    if (slow === null || slowCalls === null || !isMet(slowCalls, slow)) return '';
    const limit = formatDuration(slowCalls.slowerThanMs);
    return `${slow.bad} of ${slow.total} took ${limit} or longer${spanOf(slowCalls)}`;
  }

  reset(): void {
    this.failuresInRow = 0;
    if (this.failures !== null) this.failures.reset();
    if (this.slow !== null) this.slow.reset();
  }

  /** Windows that stay as they are keep what they hold. Another limit of slowness is another question: it begins anew. */
  reconfigure({ consecutiveFailures, failureRatio, slowCalls }: BreakerSettings): void {
    this.consecutiveFailures = consecutiveFailures;
    this.failures = windowAfter(this.failures, this.failureRatio, failureRatio);
    const before = slowCalls?.slowerThanMs === this.slowCalls?.slowerThanMs ? this.slowCalls : null;
    this.slow = windowAfter(this.slow, before, slowCalls);
    // The ends of calls that are under way say how long they took.
    if (before === null) this.overdue = slowCalls && new OverdueCalls(slowCalls.slowerThanMs);
    this.failureRatio = failureRatio;
    this.slowCalls = slowCalls;
  }

  static readonly frozenLength = 1 + 2 * windowNumbers;

  freeze(into: Float64Array, at: number): void {
    into[at] = this.failuresInRow;
    if (this.failures !== null) this.failures.freeze(into, at + 1);
    if (this.slow !== null) this.slow.freeze(into, at + 1 + windowNumbers);
  }

  thaw(from: Float64Array, at: number): void {
    this.failuresInRow = from[at]!;
    if (this.failures !== null) this.failures.thaw(from, at + 1);
    if (this.slow !== null) this.slow.thaw(from, at + 1 + windowNumbers);
  }
}

function isMet({ percent, minRequests, windowRequests }: ShareCondition, { total, bad }: CallWindow): boolean {
  const enough = windowRequests > 0 ? Math.min(minRequests, windowRequests) : minRequests;
  return bad > 0 && total >= enough && bad * 100 >= total * percent;
}

/** A window of calls says its length by the number it counted. */
function spanOf({ windowMs, windowRequests }: ShareCondition): string {
  return windowRequests > 0 ? '' : ` in ${formatDuration(windowMs)}`;
}

function windowAfter(
  window: CallWindow | null,
  before: ShareCondition | null,
  after: ShareCondition | null,
): CallWindow | null {
  if (after === null) return null;
  return window !== null && before !== null && isSameWindow(before, after) ? window : windowOf(after);
}
