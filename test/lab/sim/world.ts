/** What everything in a simulation shares: one clock, one heap of events, one timer wheel, one budget for buffers. */
import { TimerWheel } from '../../../proto/kernel/timer-wheel.ts';
import type { Clock } from '../../../sidecar/exchange/context.ts';
import { FlowBudget } from '../../../sidecar/http2/flow-budget.ts';
import type { Recording } from '../recording.ts';
import { type Actor, EventQueue } from './event-queue.ts';

/** Where simulated time begins: 0 means "never" to some timers. */
export const originMs = 1000;
/** As the proxy's own timers tick. */
const tickMs = 5;

export interface Ticking {
  onTick(nowMs: number): void;
}

export class World implements Actor {
  readonly clock: Clock = { nowMs: originMs };
  readonly events = new EventQueue();
  readonly wheel = new TimerWheel(4, originMs);
  readonly budget = new FlowBudget();
  readonly seed: number;
  readonly recording: Recording;
  private readonly ticking: Ticking[] = [];

  constructor(seed: number, recording: Recording) {
    this.seed = seed;
    this.recording = recording;
    this.events.schedule(originMs + tickMs, this, 0);
  }

  /** Since the begin of the experiment. */
  get elapsedMs(): number {
    return this.clock.nowMs - originMs;
  }

  /** `atMs` from the begin of the experiment. */
  at(atMs: number, actor: Actor, code: number): void {
    this.events.schedule(originMs + atMs, actor, code);
  }

  after(delayMs: number, actor: Actor, code: number): void {
    this.events.schedule(this.clock.nowMs + delayMs, actor, code);
  }

  onTick(ticking: Ticking): void {
    this.ticking.push(ticking);
  }

  onEvent(_code: number, nowMs: number): void {
    if (this.wheel.size > 0) this.wheel.advance(nowMs);
    for (const ticking of this.ticking) ticking.onTick(nowMs);
    this.events.schedule(nowMs + tickMs, this, 0);
  }

  /** Until so long after the begin. */
  run(untilMs: number): void {
    const { clock, events } = this;
    const endMs = originMs + untilMs;
    for (let atMs = events.nextAtMs; atMs <= endMs; atMs = events.nextAtMs) {
      clock.nowMs = atMs;
      events.step();
    }
  }
}
