/** The part of a policy that the service's own sidecars obey. */
import { type Static, Type } from 'typebox';
import { ConcurrencySpec } from './schema-concurrency.ts';
import { DeadlineSpec } from './schema-deadline.ts';
import { FlowControlSpec } from './schema-flow-control.ts';
import { LevelsSpec } from './schema-levels.ts';
import { strict } from './schema-parts.ts';
import { PrioritiesSpec } from './schema-priorities.ts';
import { QueueSpec } from './schema-queue.ts';
import { RateLimitSpec } from './schema-rate-limits.ts';
import { SignalsSpec } from './schema-signals.ts';

export const InboundSpec = Type.Object(
  {
    rateLimits: Type.Optional(
      Type.Array(RateLimitSpec, { maxItems: 16, description: 'A request is admitted when every limit admits it.' }),
    ),
    concurrency: Type.Optional(ConcurrencySpec),
    queue: Type.Optional(QueueSpec),
    signals: Type.Optional(SignalsSpec),
    priorities: Type.Optional(PrioritiesSpec),
    levels: Type.Optional(LevelsSpec),
    deadline: Type.Optional(DeadlineSpec),
    flowControl: Type.Optional(FlowControlSpec),
  },
  { ...strict, description: "Obeyed by the service's own sidecars." },
);
export type InboundSpec = Static<typeof InboundSpec>;
