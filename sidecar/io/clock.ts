/**
 * The proxy's one clock. Each entry from the event loop (a read, a timer, a finished write) sets it once, and everything
 * that happens in that turn sees the same time; asking the system for every request would cost more than most policies.
 */
import type { Clock } from '../exchange/context.ts';

export const clock: Clock = { nowMs: performance.now() };

/** Each thread's performance.now() begins with the thread; what threads share is counted from the main thread's. */
let behindMs = 0;

export function tick(): number {
  clock.nowMs = performance.now() + behindMs;
  return clock.nowMs;
}

/** Where this thread's clock begins, on the machine's. */
export function clockOriginMs(): number {
  return Number(process.hrtime.bigint()) / 1e6 - performance.now();
}

/** From now on the same time as the thread whose clock begins there. */
export function alignClock(originMs: number): void {
  behindMs = clockOriginMs() - originMs;
  tick();
}
