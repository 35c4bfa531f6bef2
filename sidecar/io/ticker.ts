/**
 * The one timer behind everything that only needs to know that time passes: connections whose peers owe them something.
 * A timer for each would cost more than most of them do. It runs while somebody listens, so an idle proxy sleeps.
 */
import { tick } from './clock.ts';

export const tickerIntervalMs = 250;

export interface Ticking {
  onTick(nowMs: number): void;
}

class Ticker {
  private readonly members = new Set<Ticking>();
  private timer: NodeJS.Timeout | null = null;

  add(member: Ticking): void {
    this.members.add(member);
    if (this.timer !== null) return;
    this.timer = setInterval(() => this.run(), tickerIntervalMs);
    this.timer.unref();
  }

  delete(member: Ticking): void {
    this.members.delete(member);
    if (this.members.size > 0 || this.timer === null) return;
    clearInterval(this.timer);
    this.timer = null;
  }

  private run(): void {
    const nowMs = tick();
    // Members may leave while they are told; a Set bears that.
    for (const member of this.members) member.onTick(nowMs);
  }
}

export const ticker = new Ticker();
