/**
 * Lets a policy rehearse on the traffic that was recorded, in slices between which real requests have their turn. One at a
 * time: whoever asks meanwhile is told so.
 */

import { parsePolicyJson } from '../../proto/policy/parse.ts';
import { isRecord, show } from '../../proto/policy/problems.ts';
import { rehearse } from '../exchange/rehearsal.ts';
import type { RecordedTraffic } from '../exchange/traffic-recording.ts';

/** Of the loop, at once. */
const sliceMs = 2;
/** What asks for more is a bug, or a policy that nobody should have; later nobody waits for the answer. */
const wholeMs = 4_000;

export interface RehearsalAnswer {
  readonly ok: boolean;
  readonly message: string;
  readonly json: string;
}

export class Rehearsals {
  private readonly target: string;
  private readonly recorded: () => RecordedTraffic | Promise<RecordedTraffic>;
  private isBusy = false;

  constructor(target: string, recorded: () => RecordedTraffic | Promise<RecordedTraffic>) {
    this.target = target;
    this.recorded = recorded;
  }

  /** `text`: a TrafficPolicy as JSON. */
  async rehearse(text: string): Promise<RehearsalAnswer> {
    const policy = readPolicy(text);
    if (typeof policy === 'string') return refusal(policy);
    if (this.isBusy) return refusal('another rehearsal is under way');
    this.isBusy = true;
    try {
      const recorded = await this.recorded();
      if (recorded.startedMs.length === 0) return refusal('no request was recorded');
      const steps = rehearse(this.target, policy.spec, recorded);
      const beganMs = performance.now();
      let sliceBeganMs = beganMs;
      for (let step = steps.next(); ; step = steps.next()) {
        if (step.done === true) return { ok: true, message: '', json: JSON.stringify(step.value) };
        const nowMs = performance.now();
        if (nowMs - beganMs > wholeMs) return refusal(`it was not done in ${wholeMs / 1000} s`);
        if (nowMs - sliceBeganMs < sliceMs) continue;
        await new Promise((resolve) => setImmediate(resolve));
        sliceBeganMs = performance.now();
      }
    } catch (error) {
      return refusal(error instanceof Error ? error.message : String(error));
    } finally {
      this.isBusy = false;
    }
  }
}

function readPolicy(text: string) {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'the policy is not JSON';
  }
  const parsed = parsePolicyJson(isRecord(value) ? value : {});
  if (parsed.ok) return parsed.policy;
  const [first] = parsed.errors;
  return first ? `the policy is not valid here: ${first.pointer} ${first.message}` : `${show(value)} is no policy`;
}

function refusal(message: string): RehearsalAnswer {
  return { ok: false, message, json: '' };
}
