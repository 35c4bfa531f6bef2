/**
 * Dead letters of a service sent again, one after the other and so many a second: a service that has just recovered is not
 * to be knocked over by what it once failed at. Letters that die while it goes on are left alone, so it ends. It lasts as
 * long as the control plane that runs it; what has not been moved when that ends is still dead.
 */
import type { RedriveView } from '../../proto/api.ts';
import type { Clock } from './clock.ts';
import type { DeadLetters } from './dead-letters.ts';

/** Under way at once; those that ended are kept to be looked at, as many. */
export const redrivesMax = 64;
/** Of one service, a second. */
export const redriveRateMax = 1000;

interface Redrive {
  readonly target: string;
  readonly ratePerSecond: number;
  readonly by: string;
  readonly last: number;
  from: number;
  left: number;
  moved: number;
  skipped: number;
  /** How many may go now; it has no burst. */
  credit: number;
  state: RedriveView['state'];
  problem: string;
  isBusy: boolean;
}

export interface RedriveRequest {
  readonly target: string;
  readonly ratePerSecond: number;
  /** At most so many. */
  readonly limit: number;
  readonly by: string;
}

export class Redrives {
  private readonly letters: DeadLetters;
  private readonly clock: Clock;
  /** By target. */
  private readonly all = new Map<string, Redrive>();
  private tickedAtMs: number;

  constructor(letters: DeadLetters, clock: Clock) {
    this.letters = letters;
    this.clock = clock;
    this.tickedAtMs = clock.nowMs();
  }

  /** Undefined: one is under way for the service, or there are too many. */
  async start({ target, ratePerSecond, limit, by }: RedriveRequest): Promise<RedriveView | undefined> {
    if (this.all.get(target)?.state === 'running' || this.running().length >= redrivesMax) return undefined;
    const last = await this.letters.lastSequence();
    const redrive: Redrive = {
      ...{ target, ratePerSecond, by, last, from: 1, left: limit, moved: 0, skipped: 0 },
      // The first goes at once.
      ...{ credit: 1, state: 'running', problem: '', isBusy: false },
    };
    this.all.delete(target);
    this.all.set(target, redrive);
    this.forgetOldest();
    this.letters.record('redrive', target, by, { ratePerSecond, limit });
    return viewOf(redrive);
  }

  stop(target: string): RedriveView | undefined {
    const redrive = this.all.get(target);
    if (redrive === undefined) return undefined;
    if (redrive.state === 'running') redrive.state = 'stopped';
    return viewOf(redrive);
  }

  get(target: string): RedriveView | undefined {
    const redrive = this.all.get(target);
    return redrive && viewOf(redrive);
  }

  list(): RedriveView[] {
    return [...this.all.values()].map(viewOf);
  }

  /** To be called several times a second. */
  tick(): void {
    const nowMs = this.clock.nowMs();
    const passedMs = nowMs - this.tickedAtMs;
    this.tickedAtMs = nowMs;
    for (const redrive of this.running()) {
      // At most what one second is worth, so that a pause of ours is no burst.
      const most = Math.max(1, redrive.ratePerSecond);
      redrive.credit = Math.min(most, redrive.credit + (redrive.ratePerSecond * passedMs) / 1000);
      if (!redrive.isBusy && redrive.credit >= 1) void this.move(redrive);
    }
  }

  private async move(redrive: Redrive): Promise<void> {
    redrive.isBusy = true;
    try {
      while (redrive.state === 'running' && redrive.credit >= 1) {
        const step =
          redrive.left > 0 ? await this.letters.redriveNext(redrive.target, redrive.from, redrive.last) : undefined;
        if (step === undefined) {
          redrive.state = 'done';
          break;
        }
        redrive.from = step.next;
        if (step.moved) {
          redrive.moved++;
          redrive.left--;
          redrive.credit--;
        } else redrive.skipped++;
      }
      redrive.problem = '';
    } catch (error) {
      // The queue is full, or NATS is away: the same letter is tried again, once a second.
      redrive.problem = error instanceof Error ? error.message : String(error);
      redrive.credit = Math.min(redrive.credit, 1 - redrive.ratePerSecond);
    } finally {
      redrive.isBusy = false;
    }
  }

  private running(): Redrive[] {
    return [...this.all.values()].filter(({ state }) => state === 'running');
  }

  private forgetOldest(): void {
    for (const [target, { state }] of this.all) {
      if (this.all.size <= 2 * redrivesMax) return;
      if (state !== 'running') this.all.delete(target);
    }
  }
}

function viewOf({ target, ratePerSecond, by, moved, skipped, state, problem }: Redrive): RedriveView {
  return { target, ratePerSecond, by, moved, skipped, state, problem };
}
