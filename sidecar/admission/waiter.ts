/**
 * Who waits for a permit, as a queue sees it. Everything but `queueSlot` stays as it is while it waits.
 */
export interface Waiter {
  /** What it holds in memory while it waits. */
  readonly bytes: number;
  /** Of `Tier`; 0 matters most. */
  readonly tier: number;
  /** Within the tier, 0 to `userLevelCount` − 1; 0 matters most. Counts where the queue goes by it. */
  readonly userLevel: number;
  /** On whose account it comes; '' = nobody's in particular. */
  readonly tenant: string;
  /** Monotonic; 0 = none. */
  readonly deadlineMs: number;
  /** Belongs to the queue. Make it with -1; it is -1 again whenever the waiter does not wait. */
  queueSlot: number;
  /** The permit is the waiter's now: it owes one leave(). */
  onAdmitted(nowMs: number): void;
  /** It waits no longer and has no permit. `reason` is a Reason code. */
  onRefused(reason: number, nowMs: number): void;
}
