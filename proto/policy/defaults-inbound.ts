/** The inbound side with nothing left open. */
import { concurrencyWithDefaults, type EffectiveConcurrency } from './defaults-concurrency.ts';
import { type EffectiveFlowControl, flowControlWithDefaults } from './defaults-flow-control.ts';
import {
  type EffectiveLevels,
  type EffectivePriorities,
  levelsWithDefaults,
  prioritiesWithDefaults,
} from './defaults-priorities.ts';
import { type EffectiveQueue, queueWithDefaults } from './defaults-queue.ts';
import { type EffectiveRateLimit, rateLimitWithDefaults } from './defaults-rate-limits.ts';
import { type EffectiveSignals, signalsWithDefaults } from './defaults-signals.ts';
import type { DeadlineSpec } from './schema-deadline.ts';
import type { InboundSpec } from './schema-inbound.ts';

export interface EffectiveInbound {
  rateLimits: EffectiveRateLimit[];
  concurrency?: EffectiveConcurrency;
  queue?: EffectiveQueue;
  signals?: EffectiveSignals;
  priorities?: EffectivePriorities;
  levels?: EffectiveLevels;
  deadline?: DeadlineSpec;
  flowControl?: EffectiveFlowControl;
}

export function inboundWithDefaults(inbound: InboundSpec): EffectiveInbound {
  return {
    rateLimits: (inbound.rateLimits ?? []).map(rateLimitWithDefaults),
    ...(inbound.concurrency && { concurrency: concurrencyWithDefaults(inbound.concurrency) }),
    ...(inbound.signals && { signals: signalsWithDefaults(inbound.signals) }),
    // A limit without a queue would refuse the smallest burst.
    ...(inbound.concurrency && { queue: queueWithDefaults(inbound.queue ?? {}) }),
    ...(inbound.priorities && { priorities: prioritiesWithDefaults(inbound.priorities) }),
    ...(inbound.levels && { levels: levelsWithDefaults(inbound.levels) }),
    ...(inbound.deadline && { deadline: inbound.deadline }),
    ...(inbound.flowControl && { flowControl: flowControlWithDefaults(inbound.flowControl) }),
  };
}
