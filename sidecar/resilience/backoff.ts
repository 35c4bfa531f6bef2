/**
 * How long to leave alone what has just failed: the pause doubles with every failure up to a limit, and differs a little
 * each time, so that many callers do not come back at the same moment.
 *
 * Failures during a pause do not lengthen it. They are the echo of the one that began it: a hundred requests that waited
 * for the same connection all fail together, and that is one failure of the endpoint.
 */
import { jitter, type Random } from '../../proto/kernel/random.ts';

export interface BackoffSettings {
  readonly firstMs: number;
  readonly maxMs: number;
  /** ± this share of each pause; 0 = none. */
  readonly jitterShare: number;
}

/** Doubling further changes nothing, and 2 ** n must stay a number. */
const doublingsMax = 30;

export class Backoff {
  untilMs = Number.NEGATIVE_INFINITY;
  /** In a row, echoes not counted. */
  failures = 0;
  private readonly settings: BackoffSettings;
  private readonly random: Random;

  constructor(settings: BackoffSettings, random: Random) {
    this.settings = settings;
    this.random = random;
  }

  recordFailure(nowMs: number): void {
    if (nowMs < this.untilMs) return;
    const { firstMs, maxMs, jitterShare } = this.settings;
    const pauseMs = Math.min(maxMs, firstMs * 2 ** Math.min(this.failures, doublingsMax));
    this.untilMs = nowMs + jitter(pauseMs, jitterShare, this.random);
    this.failures++;
  }

  recordSuccess(): void {
    this.failures = 0;
    this.untilMs = Number.NEGATIVE_INFINITY;
  }

  isWaiting(nowMs: number): boolean {
    return nowMs < this.untilMs;
  }
}
