/**
 * Events in real time. An event happens at the time for which it was planned, as far as it can tell: when the timer
 * comes late, as node's do by up to a millisecond, the clock shows the planned time all the same, and what follows from
 * the event is planned from there. So a worker that is busy all the time gets exactly its rate done, and a request's
 * latency counts from when it was due. Whatever comes from outside first lets everything happen that was due before it.
 */
import type { Clock } from '../../../sidecar/exchange/context.ts';
import type { Recording } from '../recording.ts';
import { type Actor, EventQueue } from '../sim/event-queue.ts';
import type { Stage } from '../stage.ts';

export class RealTime implements Stage {
  readonly clock: Clock = { nowMs: performance.now() };
  readonly seed: number;
  readonly recording: Recording;
  private readonly events = new EventQueue();
  private readonly originMs: number;
  private timer: NodeJS.Timeout | null = null;
  private timerAtMs = Number.POSITIVE_INFINITY;
  private isStopped = false;

  /** `originMs`: the begin of the experiment by this process's performance.now(). */
  constructor(seed: number, recording: Recording, originMs: number) {
    this.seed = seed;
    this.recording = recording;
    this.originMs = originMs;
  }

  get elapsedMs(): number {
    return this.clock.nowMs - this.originMs;
  }

  at(atMs: number, actor: Actor, code: number): void {
    this.events.schedule(this.originMs + atMs, actor, code);
    this.arm();
  }

  after(delayMs: number, actor: Actor, code: number): void {
    this.events.schedule(this.clock.nowMs + delayMs, actor, code);
    this.arm();
  }

  /** Call it with everything that comes from outside. */
  readonly catchUp = (): void => {
    const { clock, events } = this;
    const nowMs = performance.now();
    while (events.nextAtMs <= nowMs) {
      clock.nowMs = Math.max(clock.nowMs, events.nextAtMs);
      events.step();
    }
    clock.nowMs = nowMs;
  };

  stop(): void {
    this.isStopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
  }

  private arm(): void {
    const atMs = this.events.nextAtMs;
    if (this.isStopped || atMs >= this.timerAtMs) return;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timerAtMs = atMs;
    this.timer = setTimeout(this.onTimer, Math.max(1, atMs - performance.now()));
  }

  private readonly onTimer = (): void => {
    this.timer = null;
    this.timerAtMs = Number.POSITIVE_INFINITY;
    this.catchUp();
    this.arm();
  };
}

/** Where this process's performance.now() begins, on the clock that all processes of a machine share. */
export function clockBeginMs(): number {
  return Number(process.hrtime.bigint()) / 1e6 - performance.now();
}
