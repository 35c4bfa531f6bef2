/**
 * Timers that all ring on a common grid of 5 ms, the same in every process, as it is cut from the wall clock. The demo's
 * services do nothing but wait, and a process that wakes for every single request spends most of its CPU on waking up;
 * on the grid it wakes once for all that is due. What a ring is late by is part of the measured capacity.
 */
export const tickMs = 5;

export class Ticker {
  /** Tick number → what is due. As many entries as there are workers and injected failures in flight. */
  private readonly due = new Map<number, (() => void)[]>();
  private armedTick = Number.POSITIVE_INFINITY;
  private timer: NodeJS.Timeout | undefined;

  /** Calls `ring` on the first tick that is `afterMs` or more from now. */
  after(afterMs: number, ring: () => void): void {
    const tick = Math.ceil((Date.now() + afterMs) / tickMs);
    const others = this.due.get(tick);
    if (others) others.push(ring);
    else this.due.set(tick, [ring]);
    if (tick < this.armedTick) this.arm(tick);
  }

  private arm(tick: number): void {
    clearTimeout(this.timer);
    this.armedTick = tick;
    this.timer = setTimeout(() => this.ring(), Math.max(1, tick * tickMs - Date.now()));
  }

  private ring(): void {
    const nowTick = Math.floor(Date.now() / tickMs);
    this.armedTick = Number.POSITIVE_INFINITY;
    for (const [tick, rings] of [...this.due]) {
      if (tick > nowTick) continue;
      this.due.delete(tick);
      for (const ring of rings) ring();
    }
    const next = Math.min(...this.due.keys());
    if (next < this.armedTick) this.arm(next);
  }
}
