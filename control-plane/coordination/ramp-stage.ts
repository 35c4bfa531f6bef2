/**
 * One stage of the ramp: the share of their former demand that callers are let through with, and how that goes. The share
 * doubles from stage to stage, from 5 % to all, each at least 300 ms; where few requests come, 500 ms.
 *
 * Failures end the ramp when they are more than the tenth that is allowed could be by chance; a tenth that is merely
 * suspicious, and callers told to come back later, only keep it at its stage for a while.
 */
import type { TargetCounts } from '../../proto/fleet-messages.ts';

const firstShare = 0.05;
const stageMinMs = 300;
const stageFewMs = 500;
/** So long a stage is held at most before its plain ratio decides. */
const stageMaxMs = 2000;
const requestsMin = 10;
/** As good, when none of them failed. */
const requestsFew = 3;
const failShareMax = 0.1;

export type StageResult = 'wait' | 'advance' | 'failed';

export class RampStage {
  readonly step: number;
  private readonly sinceMs: number;
  n = 0;
  fail = 0;
  private shed = 0;

  constructor(step: number, nowMs: number) {
    this.step = step;
    this.sinceMs = nowMs;
  }

  get allow(): number {
    return rampShare(this.step);
  }

  get isLast(): boolean {
    return this.allow >= 1;
  }

  hear({ n, fail, shed }: Pick<TargetCounts, 'n' | 'fail' | 'shed'>): void {
    this.n += n;
    this.fail += fail;
    this.shed += shed;
  }

  judge(nowMs: number): StageResult {
    const { n, fail, shed } = this;
    const chance = 2 * Math.sqrt(n * failShareMax * (1 - failShareMax));
    if (fail > 1 && fail > failShareMax * n + chance) return 'failed';
    const ageMs = nowMs - this.sinceMs;
    const isFine = fail <= failShareMax * n && shed <= failShareMax * (n + shed);
    if (ageMs >= stageMaxMs) return fail > 1 && fail > failShareMax * n ? 'failed' : 'advance';
    if (!isFine) return 'wait';
    const isEnough = n >= requestsMin || (n >= requestsFew && fail === 0);
    return ageMs >= (isEnough ? stageMinMs : stageFewMs) ? 'advance' : 'wait';
  }
}

export function rampShare(step: number): number {
  return Math.min(1, firstShare * 2 ** step);
}

/** The stage nearest to a share that was heard of. */
export function rampStepOf(allow: number): number {
  return allow <= firstShare ? 0 : Math.ceil(Math.log2(Math.min(1, allow) / firstShare) - 1e-6);
}
