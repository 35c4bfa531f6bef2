/**
 * A rollout as it is stored, and read again by whoever leads next. Read by hand rather than by a schema: everything in it
 * was written by a control plane, only its version may be another.
 */
import { parsePolicyJson } from '../../proto/policy/parse.ts';
import { isRecord } from '../../proto/policy/problems.ts';
import type { Rollout, RolloutPhase, RolloutStage, RolloutStep } from './rollout.ts';
import type { Evidence, Share, SideCounts } from './rollout-evidence.ts';

/** undefined: a newer version's, or damaged. */
export function readRollout(value: unknown): Rollout | undefined {
  if (!isRecord(value)) return undefined;
  const parsed = parsePolicyJson(value.candidate);
  const phase = phases.find((one) => one === value.phase);
  const stages = Array.isArray(value.stages) ? value.stages.map(readStage) : [];
  const { policy, target, id, salt } = value;
  if (!parsed.ok || !phase || stages.length === 0) return undefined;
  if (typeof policy !== 'string' || typeof target !== 'string' || typeof id !== 'string' || typeof salt !== 'string')
    return undefined;
  const tolerance = isRecord(value.tolerance) ? value.tolerance : {};
  const before = isRecord(value.before) ? value.before : {};
  return {
    policy,
    target,
    id,
    baseRevision: number(value.baseRevision),
    candidate: parsed.policy,
    stages,
    tolerance: { rejectedPoints: number(tolerance.rejectedPoints), failedPoints: number(tolerance.failedPoints) },
    salt,
    by: text(value.by),
    reason: text(value.reason),
    phase,
    stage: Math.min(number(value.stage), stages.length - 1),
    stageSinceMs: number(value.stageSinceMs),
    pausedAtMs: number(value.pausedAtMs),
    before: { inbound: readCounts(before.inbound), outbound: readCounts(before.outbound) },
    steps: Array.isArray(value.steps) ? value.steps.flatMap(readStep) : [],
  };
}

const phases: readonly RolloutPhase[] = ['progressing', 'paused', 'promoted', 'rolledBack', 'aborted', 'superseded'];

function readStage(value: unknown): RolloutStage {
  const stage = isRecord(value) ? value : {};
  return { percent: number(stage.percent), holdMs: number(stage.holdMs) };
}

function readCounts(value: unknown): SideCounts {
  const counts = isRecord(value) ? value : {};
  const { requests, rejected, succeeded, failed } = counts;
  return {
    requests: number(requests),
    rejected: number(rejected),
    succeeded: number(succeeded),
    failed: number(failed),
  };
}

function readStep(value: unknown): RolloutStep[] {
  const phase = isRecord(value) ? phases.find((one) => one === value.phase) : undefined;
  if (!isRecord(value) || !phase) return [];
  const { at, percent, by, evidence } = value;
  const read = Array.isArray(evidence) ? evidence.flatMap(readEvidence) : [];
  return [{ at: text(at), phase, percent: number(percent), by: text(by), text: text(value.text), evidence: read }];
}

function readEvidence(value: unknown): Evidence[] {
  if (!isRecord(value)) return [];
  return [
    {
      side: value.side === 'outbound' ? 'outbound' : 'inbound',
      measure: value.measure === 'failed' ? 'failed' : 'rejected',
      candidate: readShare(value.candidate),
      compared: readShare(value.compared),
      comparedWith: value.comparedWith === 'before' ? 'before' : 'stable',
      text: text(value.text),
    },
  ];
}

function readShare(value: unknown): Share {
  const share = isRecord(value) ? value : {};
  return { count: number(share.count), of: number(share.of) };
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const number = (value: unknown): number =>
  typeof value === 'number' && Number.isFinite(value) ? Math.max(0, value) : 0;
