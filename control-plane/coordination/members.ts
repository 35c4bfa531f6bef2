/**
 * The control planes that live, as far as they are heard. A member is one process: a restarted one is another. Being
 * wrong about it costs a hand-over too many or a takeover 100 ms late, never two leaders.
 */
export const presenceEveryMs = 300;
/** Below a lease's time to takeover: by then the dead are no longer counted on. */
const silenceMs = 950;
/** More are not looked at, so that a flood of names cannot grow the table. */
export const membersMax = 64;

export class Members {
  private readonly own: string;
  private readonly heardAtMs = new Map<string, number>();
  /** When somebody last came or went. */
  changedAtMs = Number.NEGATIVE_INFINITY;

  constructor(own: string) {
    this.own = own;
  }

  hear(member: string, nowMs: number): void {
    if (member === this.own) return;
    const known = this.heardAtMs.has(member);
    if (!known && this.heardAtMs.size >= membersMax) return;
    this.heardAtMs.set(member, nowMs);
    if (!known) this.changedAtMs = nowMs;
  }

  /** It says goodbye. */
  leave(member: string, nowMs: number): void {
    if (this.heardAtMs.delete(member)) this.changedAtMs = nowMs;
  }

  /** Forgets who is silent; true when somebody was. */
  expire(nowMs: number): void {
    for (const [member, heardAtMs] of this.heardAtMs) {
      if (nowMs - heardAtMs > silenceMs) this.leave(member, nowMs);
    }
  }

  /** Oneself among them. */
  all(): string[] {
    return [this.own, ...this.heardAtMs.keys()];
  }
}
