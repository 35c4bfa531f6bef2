/**
 * The proxy's one clock. Each entry from the event loop (a read, a timer, a finished write) sets it once, and everything
 * that happens in that turn sees the same time; asking the system for every request would cost more than most policies.
 */
import type { Clock } from '../exchange/context.ts';

export const clock: Clock = { nowMs: performance.now() };

export function tick(): number {
  clock.nowMs = performance.now();
  return clock.nowMs;
}
