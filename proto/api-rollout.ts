/** What the API takes and answers about staged rollouts. */
import { type Static, Type } from 'typebox';
import { durationPattern, TrafficPolicy } from './policy/schema.ts';

const strict = { additionalProperties: false } as const;
const points = (what: string, usual: number) =>
  Type.Optional(
    Type.Number({
      description: `By how many percent points more may be ${what} before the candidate is taken back; 100: never for that. Loses no data.`,
      minimum: 0,
      maximum: 100,
      default: usual,
    }),
  );

export const RolloutStageView = Type.Object(
  {
    percent: Type.Integer({ description: 'Of the instances; rising from stage to stage.', minimum: 1, maximum: 100 }),
    hold: Type.String({
      description: 'How long it has to go well before the next stage, 0s to 24h.',
      pattern: durationPattern,
      maxLength: 32,
    }),
  },
  strict,
);
export type RolloutStageView = Static<typeof RolloutStageView>;

export const RolloutRequest = Type.Object(
  {
    /** Checked by the policy parser, which finds every error with its place. */
    policy: Type.Unknown({ description: 'The TrafficPolicy that is to be.' }),
    stages: Type.Optional(
      Type.Array(RolloutStageView, { description: 'Default: 10 %, 50 %, 100 %, 1m each.', minItems: 1, maxItems: 20 }),
    ),
    tolerance: Type.Optional(
      Type.Object({ rejectedPoints: points('rejected', 5), failedPoints: points('failed', 2) }, strict),
    ),
  },
  strict,
);
export type RolloutRequest = Static<typeof RolloutRequest>;

const Counts = Type.Object({
  requests: Type.Number({ description: 'Rejected ones included.' }),
  rejected: Type.Number(),
  succeeded: Type.Number(),
  failed: Type.Number(),
});
const Comparison = Type.Object({ candidate: Counts, stable: Counts });
const Share = Type.Object({ count: Type.Number(), of: Type.Number() });

export const EvidenceView = Type.Object({
  side: Type.String({ description: 'inbound or outbound' }),
  measure: Type.String({ description: 'rejected or failed' }),
  candidate: Share,
  compared: Share,
  comparedWith: Type.String({ description: 'stable: those without the candidate; before: all, before it began' }),
  text: Type.String(),
});

export const RolloutView = Type.Object({
  namespace: Type.String(),
  name: Type.String({ description: 'Of the policy.' }),
  id: Type.String(),
  target: Type.String(),
  resourceVersion: Type.String(),
  phase: Type.String({ description: 'progressing, paused, promoted, rolledBack, aborted or superseded' }),
  /** From 0. */
  stage: Type.Number(),
  percent: Type.Number({ description: 'Of the instances obey the candidate now; 0 when it is over.' }),
  stages: Type.Array(RolloutStageView),
  tolerance: Type.Object({ rejectedPoints: Type.Number(), failedPoints: Type.Number() }),
  baseRevision: Type.Number(),
  by: Type.String(),
  reason: Type.String(),
  policy: TrafficPolicy,
  /** What it waits for, in words; '' when it is over. */
  waitingFor: Type.String(),
  instances: Type.Object({
    chosen: Type.Number(),
    obeying: Type.Number(),
    refused: Type.Array(Type.Object({ instance: Type.String(), message: Type.String() })),
  }),
  /** Since this stage began. */
  seen: Type.Object({ inbound: Comparison, outbound: Comparison }),
  /** The oldest first. */
  steps: Type.Array(
    Type.Object({
      at: Type.String(),
      phase: Type.String(),
      percent: Type.Number(),
      by: Type.String({ description: 'empty: the rollout itself' }),
      text: Type.String(),
      evidence: Type.Array(EvidenceView),
    }),
  ),
});
export type RolloutView = Static<typeof RolloutView>;

export const RolloutList = Type.Object({ items: Type.Array(RolloutView), continue: Type.Optional(Type.String()) });
export type RolloutList = Static<typeof RolloutList>;
