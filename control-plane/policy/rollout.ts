/**
 * A staged rollout: a candidate for a policy, obeyed by a growing share of the instances, until it becomes the policy or
 * is taken back. The document itself does not change before the end: what is in force for the others is what it says,
 * and taking back is forgetting. So a write to the document in the meantime, by somebody in a hurry, always counts; the
 * rollout, which began from an older revision, is over.
 *
 *   progressing ⇄ paused ──▶ promoted     the candidate is a new revision
 *        └──────────┴──────▶ rolledBack   by itself: refused, rejecting or failing clearly more
 *                          ▶ aborted      somebody said so
 *                          ▶ superseded   the document was written
 *
 * Pure: facts and the wall clock come in, the next record comes out. Wall time, because the record outlives the control
 * plane that drives it.
 */
import type { TrafficPolicy } from '../../proto/policy/schema.ts';
import { type Comparison, type Evidence, harmIn, type SideCounts, type Tolerance } from './rollout-evidence.ts';

export interface RolloutStage {
  /** Of the instances of the service and of its callers, each by itself; 1 to 100, rising. */
  readonly percent: number;
  /** How long it has to go well. */
  readonly holdMs: number;
}

export type RolloutPhase = 'progressing' | 'paused' | 'promoted' | 'rolledBack' | 'aborted' | 'superseded';

export interface RolloutStep {
  /** RFC 3339, UTC. */
  readonly at: string;
  readonly phase: RolloutPhase;
  readonly percent: number;
  /** Who did it; '' = the rollout itself. */
  readonly by: string;
  readonly text: string;
  readonly evidence: readonly Evidence[];
}

export interface Rollout {
  /** `<namespace>/<name>` of the policy. */
  readonly policy: string;
  readonly target: string;
  /** Unique among the rollouts of a policy. */
  readonly id: string;
  /** Of the document when it began, 0 when there was none; a revision with another number ends it. */
  readonly baseRevision: number;
  readonly candidate: TrafficPolicy;
  readonly stages: readonly RolloutStage[];
  readonly tolerance: Tolerance;
  /** Whom the percentages choose. */
  readonly salt: string;
  readonly by: string;
  readonly reason: string;
  readonly phase: RolloutPhase;
  readonly stage: number;
  /** Wall time; a pause moves it on, so that what was held is not held again. */
  readonly stageSinceMs: number;
  readonly pausedAtMs: number;
  /** What all instances did shortly before it began, for when nobody is left to compare with. */
  readonly before: Readonly<Record<'inbound' | 'outbound', SideCounts>>;
  /** The oldest first. */
  readonly steps: readonly RolloutStep[];
}

/** Beyond these the oldest but the first is forgotten here; the audit has them all. */
export const stepsMax = 50;
export const stagesMax = 20;
/** Who begins to drive a rollout watches it at least this long before it goes on; shorter holds need no longer. */
export const observeMinMs = 5_000;

export interface Refusal {
  readonly instance: string;
  readonly message: string;
}

/** What is known of the instances at this moment; live ones only. */
export interface RolloutFacts {
  /** Of the newest revision of the document; 0 = there never was one. */
  readonly documentRevision: number;
  /** The newest revision says what the candidate says. */
  readonly isDocumentCandidate: boolean;
  /** Chosen for the candidate. */
  readonly chosen: number;
  /** Of those, who refuse it, and who have not said yet that they obey. */
  readonly refused: readonly Refusal[];
  readonly awaited: number;
  /** Since this stage began, as far as this control plane saw it. */
  readonly inbound: Comparison;
  readonly outbound: Comparison;
  /** For how long it saw it. */
  readonly observedMs: number;
}

export type RolloutDecision =
  | { readonly kind: 'wait'; readonly text: string }
  | { readonly kind: 'next'; readonly rollout: Rollout }
  /** Write the candidate to the document first, then this. */
  | { readonly kind: 'promote'; readonly rollout: Rollout };

export function isActive({ phase }: Rollout): boolean {
  return phase === 'progressing' || phase === 'paused';
}

/** What the candidate is obeyed by now. */
export function percentOf(rollout: Rollout): number {
  return isActive(rollout) ? (rollout.stages[rollout.stage]?.percent ?? 0) : 0;
}

export interface RolloutStart
  extends Omit<Rollout, 'phase' | 'stage' | 'stageSinceMs' | 'pausedAtMs' | 'steps' | 'id' | 'target'> {
  readonly target: string;
  readonly wallMs: number;
}

export function beginRollout({ wallMs, ...start }: RolloutStart): Rollout {
  const begun: Rollout = {
    ...start,
    id: `${start.baseRevision}-${wallMs}`,
    phase: 'progressing',
    stage: 0,
    stageSinceMs: wallMs,
    pausedAtMs: 0,
    steps: [],
  };
  return stepped(begun, wallMs, { by: start.by, text: start.reason === '' ? 'began' : `began: ${start.reason}` });
}

/** What the leader does about a rollout now. */
export function decideRollout(rollout: Rollout, facts: RolloutFacts, wallMs: number): RolloutDecision {
  if (facts.documentRevision !== rollout.baseRevision) {
    // Promoted, and the control plane that did it died before it could say so.
    const isOurs = facts.isDocumentCandidate && facts.documentRevision === rollout.baseRevision + 1;
    return { kind: 'next', rollout: isOurs ? promoted(rollout, wallMs, '') : superseded(rollout, facts, wallMs) };
  }
  const [refusal] = facts.refused;
  if (refusal) {
    const others = facts.refused.length > 1 ? ` (${facts.refused.length} of ${facts.chosen} instances)` : '';
    const text = `${refusal.instance} refused it because ${refusal.message}${others}`;
    return { kind: 'next', rollout: ended(rollout, 'rolledBack', wallMs, { by: '', text }) };
  }
  const evidence = harmIn(facts, rollout.before, rollout.tolerance);
  if (evidence.length > 0) {
    const text = evidence.map((one) => one.text).join('; ');
    return { kind: 'next', rollout: ended(rollout, 'rolledBack', wallMs, { by: '', text, evidence }) };
  }
  if (rollout.phase === 'paused') return { kind: 'wait', text: 'paused' };
  if (facts.awaited > 0) return { kind: 'wait', text: `${facts.awaited} of ${facts.chosen} instances do not obey yet` };
  const { holdMs } = rollout.stages[rollout.stage] ?? { holdMs: 0 };
  const heldMs = Math.min(
    wallMs - rollout.stageSinceMs,
    // Another control plane drove it before: what we have not seen ourselves counts only to a part.
    holdMs + facts.observedMs - Math.min(holdMs, observeMinMs),
  );
  if (heldMs < holdMs) return { kind: 'wait', text: `${Math.ceil((holdMs - heldMs) / 1000)} s to go` };
  if (rollout.stage + 1 < rollout.stages.length) return { kind: 'next', rollout: advanced(rollout, facts, wallMs) };
  return { kind: 'promote', rollout: promoted(rollout, wallMs, '') };
}

function advanced(rollout: Rollout, { chosen, inbound }: RolloutFacts, wallMs: number): Rollout {
  const at = { ...rollout, stage: rollout.stage + 1, stageSinceMs: wallMs };
  const seen = inbound.candidate.requests;
  return stepped(at, wallMs, { by: '', text: `${chosen} instances obeyed it, ${seen} requests, nothing worse` });
}

export function promoted(rollout: Rollout, wallMs: number, by: string): Rollout {
  return ended(rollout, 'promoted', wallMs, { by, text: 'the candidate is the policy' });
}

export function aborted(rollout: Rollout, wallMs: number, by: string, reason: string): Rollout {
  return ended(rollout, 'aborted', wallMs, { by, text: reason === '' ? 'aborted' : `aborted: ${reason}` });
}

export function paused(rollout: Rollout, wallMs: number, by: string, reason: string): Rollout {
  const at: Rollout = { ...rollout, phase: 'paused', pausedAtMs: wallMs };
  return stepped(at, wallMs, { by, text: reason === '' ? 'paused' : `paused: ${reason}` });
}

export function resumed(rollout: Rollout, wallMs: number, by: string): Rollout {
  const stageSinceMs = rollout.stageSinceMs + Math.max(0, wallMs - rollout.pausedAtMs);
  return stepped({ ...rollout, phase: 'progressing', stageSinceMs, pausedAtMs: 0 }, wallMs, { by, text: 'resumed' });
}

function superseded(rollout: Rollout, { documentRevision }: RolloutFacts, wallMs: number): Rollout {
  const text = `the policy was written by somebody else, revision ${documentRevision}`;
  return ended(rollout, 'superseded', wallMs, { by: '', text });
}

interface StepWords {
  readonly by: string;
  readonly text: string;
  readonly evidence?: readonly Evidence[];
}

function ended(rollout: Rollout, phase: RolloutPhase, wallMs: number, words: StepWords): Rollout {
  // The percentage that it came to is the one it ended at.
  return stepped({ ...rollout, phase }, wallMs, words);
}

function stepped(rollout: Rollout, wallMs: number, { by, text, evidence = [] }: StepWords): Rollout {
  const percent = rollout.stages[rollout.stage]?.percent ?? 0;
  const step = { at: new Date(wallMs).toISOString(), phase: rollout.phase, percent, by, text, evidence };
  const steps = [...rollout.steps, step];
  if (steps.length > stepsMax) steps.splice(1, steps.length - stepsMax);
  return { ...rollout, steps };
}
