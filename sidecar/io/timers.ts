/**
 * Drives everything in the pure parts that waits: deadlines in the wheel, queue waits in the admissions. The tick runs
 * only while something waits, so that an idle proxy sleeps.
 */
import type { TimerWheel } from '../../proto/kernel/timer-wheel.ts';
import { tick } from './clock.ts';

const tickMs = 5;
const probeIntervalMs = 100;

export interface Waiting {
  readonly queued: number;
  expire(nowMs: number): void;
}

/** Ticks without work before the ticking stops. */
const idleTicksMax = 200;

export class Timers {
  private readonly wheel: TimerWheel;
  /** Whatever may hold waiters now; asked each tick. */
  private readonly queue: () => Waiting | null;
  private timer: NodeJS.Timeout | null = null;
  /** Looks after the proxy itself, about every 100 ms. */
  private readonly probe: (nowMs: number, lagMs: number) => void;
  private lastTickMs = 0;
  private probedMs = 0;
  private idleTicks = 0;
  /** How late the loop is, smoothed: its own overload, seen from inside. */
  lagMs = 0;

  constructor(
    wheel: TimerWheel,
    queue: () => Waiting | null,
    probe: (nowMs: number, lagMs: number) => void = () => {},
  ) {
    this.wheel = wheel;
    this.queue = queue;
    this.probe = probe;
  }

  /** Call it with every request: cheap while the ticking goes on. */
  wake(): void {
    this.idleTicks = 0;
    if (this.timer !== null) return;
    this.lastTickMs = tick();
    this.timer = setInterval(() => this.onTick(), tickMs);
  }

  close(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }

  private onTick(): void {
    const nowMs = tick();
    this.lagMs = this.lagMs * 0.9 + Math.max(0, nowMs - this.lastTickMs - tickMs) * 0.1;
    this.lastTickMs = nowMs;
    if (nowMs - this.probedMs >= probeIntervalMs) {
      this.probedMs = nowMs;
      this.probe(nowMs, this.lagMs);
    }
    if (this.wheel.size > 0) this.wheel.advance(nowMs);
    const queue = this.queue();
    if (queue !== null && queue.queued > 0) queue.expire(nowMs);
    else if (this.wheel.size === 0 && ++this.idleTicks > idleTicksMax) this.close();
  }
}
