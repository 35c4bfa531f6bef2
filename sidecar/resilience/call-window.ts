/** Which calls a share is taken of: those of the last seconds (rolling-counts.ts), or the last so many (count-window.ts). */
import type { ShareCondition } from './breaker-settings.ts';
import { CountWindow } from './count-window.ts';
import { RollingCounts } from './rolling-counts.ts';

export interface CallWindow {
  readonly total: number;
  /** Those that the share is of: the failed, or the slow. */
  readonly bad: number;
  record(isBad: boolean, nowMs: number): void;
  reset(): void;
  /** Writes at most `windowNumbers` numbers. */
  freeze(into: Float64Array, at: number): void;
  /** What another kind or length of window wrote is no evidence for this one: it begins anew. */
  thaw(from: Float64Array, at: number): void;
}

/** Numbers that freeze() writes, whatever the kind. */
export const windowNumbers = Math.max(CountWindow.frozenLength, RollingCounts.frozenLength);

export function windowOf(condition: ShareCondition): CallWindow {
  return condition.windowRequests > 0
    ? new CountWindow(condition.windowRequests)
    : new RollingCounts(condition.windowMs);
}

export function isSameWindow(a: ShareCondition, b: ShareCondition): boolean {
  return a.windowMs === b.windowMs && a.windowRequests === b.windowRequests;
}
