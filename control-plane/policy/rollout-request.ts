/** What somebody asks of a rollout, checked, with every error at once; and how one is shown. */
import { RolloutRequest, type RolloutView } from '../../proto/api-rollout.ts';
import { formatDuration, parseDuration } from '../../proto/kernel/duration.ts';
import { type Finding, isRecord, member, type PolicyError, toPolicyError } from '../../proto/policy/problems.ts';
import { checkShape } from '../../proto/policy/shape.ts';
import { percentOf, type Rollout, type RolloutFacts, type RolloutStage } from './rollout.ts';
import { noCounts, type Tolerance } from './rollout-evidence.ts';

export const defaultStages: readonly RolloutStage[] = [10, 50, 100].map((percent) => ({ percent, holdMs: 60_000 }));
export const defaultTolerance: Tolerance = { rejectedPoints: 5, failedPoints: 2 };
const holdMaxMs = 24 * 3_600_000;

export type CheckedRequest =
  | {
      readonly ok: true;
      readonly document: unknown;
      readonly stages: readonly RolloutStage[];
      readonly tolerance: Tolerance;
    }
  | { readonly ok: false; readonly errors: readonly PolicyError[] };

export function checkRolloutRequest(value: unknown): CheckedRequest {
  const findings: Finding[] = [...checkShape(RolloutRequest, value)];
  const stages = findings.length === 0 ? readStages(member(value, 'stages'), findings) : defaultStages;
  if (findings.length > 0) return { ok: false, errors: findings.map((finding) => toPolicyError(finding)) };
  const tolerance = member(value, 'tolerance');
  const points = (name: keyof Tolerance): number => {
    const written = member(tolerance, name);
    return typeof written === 'number' ? written : defaultTolerance[name];
  };
  return {
    ok: true,
    document: member(value, 'policy'),
    stages,
    tolerance: { rejectedPoints: points('rejectedPoints'), failedPoints: points('failedPoints') },
  };
}

function readStages(written: unknown, findings: Finding[]): readonly RolloutStage[] {
  if (!Array.isArray(written)) return defaultStages;
  let before = 0;
  return written.map((stage: unknown, index) => {
    const percent = isRecord(stage) && typeof stage.percent === 'number' ? stage.percent : 0;
    const hold = isRecord(stage) && typeof stage.hold === 'string' ? stage.hold : '';
    const holdMs = parseDuration(hold) ?? 0;
    if (percent <= before) {
      const message = `${percent} % is not more than the ${before} % before it`;
      findings.push({ pointer: `/stages/${index}/percent`, message });
    }
    if (holdMs > holdMaxMs) findings.push({ pointer: `/stages/${index}/hold`, message: `${hold} is more than 24h` });
    before = percent;
    return { percent, holdMs };
  });
}

/** What is seen of the instances at this moment; null for a rollout that is over. */
export type RolloutSeen = Pick<RolloutFacts, 'chosen' | 'refused' | 'awaited' | 'inbound' | 'outbound'>;

export function rolloutView(
  rollout: Rollout,
  resourceVersion: string,
  seen: RolloutSeen | null,
  waitingFor: string,
): RolloutView {
  const [namespace = '', name = ''] = rollout.policy.split('/');
  const { id, target, phase, stage, tolerance, baseRevision, by, reason, candidate } = rollout;
  const nothing = { candidate: noCounts, stable: noCounts };
  return {
    namespace,
    name,
    id,
    target,
    resourceVersion,
    phase,
    stage,
    percent: percentOf(rollout),
    stages: rollout.stages.map(({ percent, holdMs }) => ({ percent, hold: formatDuration(holdMs) })),
    tolerance,
    baseRevision,
    by,
    reason,
    policy: candidate,
    waitingFor,
    instances: {
      chosen: seen?.chosen ?? 0,
      obeying: seen ? seen.chosen - seen.awaited - seen.refused.length : 0,
      refused: (seen?.refused ?? []).slice(0, listedMax),
    },
    seen: { inbound: seen?.inbound ?? nothing, outbound: seen?.outbound ?? nothing },
    steps: rollout.steps.map((step) => ({ ...step, evidence: [...step.evidence] })),
  };
}

const listedMax = 100;
