/**
 * What a caller's sidecar knows of the level at which a target admits (admission/level-control.ts there, `weir-level` in
 * its answers): what would be refused is refused here, where it costs the target nothing. Endpoints have levels of their
 * own and the request has not been given to one yet, so the highest level counts: a lower one takes its place when its own
 * endpoint says so, or when that endpoint has been silent for a second.
 *
 * What is stale must not lock a target out: without word the level is forgotten after a second, and every 50 ms one request
 * goes all the same. It says how many were kept back since the last, so that the target sees the demand.
 *
 * Threads each know what they were told.
 */
import { levelCount } from '../../proto/tiers.ts';

const holdsForMs = 1000;
const probeEveryMs = 50;

export class StoredLevel {
  private level = levelCount;
  /** Whose level it is. */
  private holder: object | null = null;
  private untilMs = Number.NEGATIVE_INFINITY;
  private nextProbeMs = Number.NEGATIVE_INFINITY;
  private kept = 0;

  /** The level in force at `nowMs`, for people. */
  at(nowMs: number): number {
    return nowMs < this.untilMs ? this.level : levelCount;
  }

  /** `levelCount` = its answer named none. */
  onTold(level: number, endpoint: object, nowMs: number): void {
    if (level < this.level && endpoint !== this.holder && nowMs < this.untilMs) return;
    this.level = level;
    this.holder = endpoint;
    this.untilMs = nowMs + holdsForMs;
  }

  /** False: the target would refuse it. */
  admits(priority: number, nowMs: number): boolean {
    if (priority < this.level || nowMs >= this.untilMs) return true;
    if (nowMs >= this.nextProbeMs) {
      this.nextProbeMs = nowMs + probeEveryMs;
      return true;
    }
    this.kept++;
    return false;
  }

  /** How many were kept back since this was asked last; of the request that admits() let through above the level. */
  takeKept(): number {
    const { kept } = this;
    this.kept = 0;
    return kept;
  }

  /** Whether a request that was let through is such a one. */
  isProbe(priority: number): boolean {
    return priority >= this.level && this.kept > 0;
  }
}
