/** What a schema cannot say about the outbound side; one line for each section. */
import type { Finding } from './problems.ts';
import { validateBreaker } from './validate-breaker.ts';
import { validateClassification } from './validate-classification.ts';
import { validateFallback } from './validate-fallback.ts';
import { hedgedFlow } from './validate-flow-control.ts';
import { greaterThan } from './validate-order.ts';
import { validateParking } from './validate-parking.ts';
import { validateRetries } from './validate-retries.ts';
import { switchedOff } from './validate-switches.ts';
import { timeFieldTaken } from './validate-time-field.ts';
import { outboundTimes } from './validate-times.ts';

/** `pointer`: where `outbound` stands. */
export function validateOutbound(outbound: unknown, pointer: string): Finding[] {
  return [
    ...greaterThan(outbound, pointer, ['circuitBreaker'], 'openFor', 'openForMax'),
    ...validateBreaker(outbound, pointer),
    ...greaterThan(outbound, pointer, ['healthCheck'], 'timeout', 'interval'),
    ...greaterThan(outbound, pointer, [], 'perTryTimeout', 'timeout'),
    ...greaterThan(outbound, pointer, ['retries', 'backoff'], 'base', 'max'),
    ...greaterThan(outbound, pointer, ['outlierDetection'], 'baseEjectionTime', 'maxEjectionTime'),
    ...validateRetries(outbound, pointer),
    ...outboundTimes(outbound, pointer),
    ...switchedOff(outbound, pointer),
    ...timeFieldTaken(outbound, pointer, ['timeoutHeader']),
    ...validateClassification(outbound, pointer),
    ...validateFallback(outbound, pointer),
    ...hedgedFlow(outbound, pointer),
    ...validateParking(outbound, pointer),
  ];
}
