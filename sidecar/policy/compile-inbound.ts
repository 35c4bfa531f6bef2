/** The inbound side from a spec to settings; one line for each section. */
import type { EffectiveInbound } from '../../proto/policy/defaults-inbound.ts';
import type { AdmissionSettings } from '../admission/admission.ts';
import type { LevelSettings } from '../admission/level-control.ts';
import { type Classifier, defaultClassifier } from '../resilience/classifier.ts';
import { admissionSettings } from './compile-admission.ts';
import { inboundDeadline, noDeadline } from './compile-deadline.ts';
import { flowSettings } from './compile-flow-control.ts';
import { levelSettings, priorityClasses } from './compile-priorities.ts';
import { type RateLimitSettings, rateLimitSettings } from './compile-rate-limits.ts';
import { type DeadlineSettings, type FlowSettings, LoadTo } from './compiled.ts';
import type { PriorityClasses } from './priority-classes.ts';

export interface InboundSettings {
  readonly shadow: boolean;
  readonly rateLimits: readonly RateLimitSettings[];
  readonly signalsAdmitted: boolean;
  readonly loadTo: number;
  readonly admission: AdmissionSettings | null;
  readonly concurrencyLimit: number;
  readonly deadline: DeadlineSettings;
  readonly flow: FlowSettings | null;
  /** What the app's answers mean. */
  readonly classifier: Classifier;
  readonly priorities: PriorityClasses | null;
  readonly levels: LevelSettings | null;
}

export const passThroughInboundSettings: InboundSettings = {
  shadow: false,
  rateLimits: [],
  signalsAdmitted: false,
  loadTo: LoadTo.nobody,
  admission: null,
  concurrencyLimit: 0,
  deadline: noDeadline,
  flow: null,
  classifier: defaultClassifier,
  priorities: null,
  levels: null,
};

export function compileInbound(inbound: EffectiveInbound, classifier: Classifier, shadow: boolean): InboundSettings {
  const admission = admissionSettings(inbound, shadow);
  return {
    shadow,
    rateLimits: inbound.rateLimits.map(rateLimitSettings),
    signalsAdmitted: !shadow && (inbound.signals?.rateLimitFields ?? false),
    loadTo: shadow || !inbound.signals?.orca ? LoadTo.nobody : LoadTo[inbound.signals.orca.to],
    admission,
    concurrencyLimit: admission?.limit ?? 0,
    deadline: inboundDeadline(inbound.deadline, shadow),
    flow: flowSettings(inbound.flowControl, shadow),
    classifier,
    priorities: inbound.priorities ? priorityClasses(inbound.priorities) : null,
    levels: inbound.levels ? levelSettings(inbound.levels) : null,
  };
}
