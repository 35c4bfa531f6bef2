/** What a schema cannot say about the inbound side; one line for each section. */
import type { Finding } from './problems.ts';
import { limitsThatClash } from './validate-concurrency.ts';
import { overflowOfCritical } from './validate-flow-control.ts';
import { levelsWithoutQueue } from './validate-levels.ts';
import { greaterThan } from './validate-order.ts';
import { rulesThatClash } from './validate-priorities.ts';
import { queueThatContradicts, queueWithoutLimit } from './validate-queue.ts';
import { rateLimitsThatClash } from './validate-rate-limits.ts';
import { switchedOff } from './validate-switches.ts';
import { timeFieldTaken } from './validate-time-field.ts';

/** `pointer`: where `inbound` stands. */
export function validateInbound(inbound: unknown, pointer: string): Finding[] {
  return [
    ...rateLimitsThatClash(inbound, pointer),
    ...limitsThatClash(inbound, pointer),
    ...queueWithoutLimit(inbound, pointer),
    ...queueThatContradicts(inbound, pointer),
    ...rulesThatClash(inbound, pointer),
    ...levelsWithoutQueue(inbound, pointer),
    ...greaterThan(inbound, pointer, ['deadline'], 'default', 'max'),
    ...switchedOff(inbound, pointer),
    ...timeFieldTaken(inbound, pointer, ['deadline', 'header']),
    ...overflowOfCritical(inbound, pointer),
  ];
}
