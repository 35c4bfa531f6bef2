/** A request's place among those who wait for their turn at a rate limit (rate-limit-step.ts). */
import { Timer } from '../../proto/kernel/timer-wheel.ts';
import type { RateLimitRule } from '../policy/compiled.ts';

export abstract class Turn extends Timer {
  abstract readonly rule: RateLimitRule;
}
