/** What callers and apps need of the time they live in, simulated or real. */
import type { Clock } from '../../sidecar/exchange/context.ts';
import type { Recording } from './recording.ts';
import type { Actor } from './sim/event-queue.ts';

export interface Stage {
  readonly clock: Clock;
  readonly seed: number;
  readonly recording: Recording;
  /** Since the begin of the experiment. */
  readonly elapsedMs: number;
  /** `atMs` from the begin of the experiment. */
  at(atMs: number, actor: Actor, code: number): void;
  after(delayMs: number, actor: Actor, code: number): void;
}
