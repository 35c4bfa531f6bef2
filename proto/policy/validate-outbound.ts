/** What a schema cannot say about the outbound side; one line for each section. */
import type { Finding } from './problems.ts';
import { validateBreaker } from './validate-breaker.ts';
import { validateClassification } from './validate-classification.ts';
import { validateFallback } from './validate-fallback.ts';
import { hedgedFlow } from './validate-flow-control.ts';
import { greaterThan } from './validate-order.ts';
import { validateParking } from './validate-parking.ts';

/** `pointer`: where `outbound` stands. */
export function validateOutbound(outbound: unknown, pointer: string): Finding[] {
  return [
    ...greaterThan(outbound, pointer, ['circuitBreaker'], 'openFor', 'openForMax'),
    ...validateBreaker(outbound, pointer),
    ...greaterThan(outbound, pointer, ['healthCheck'], 'timeout', 'interval'),
    ...greaterThan(outbound, pointer, [], 'perTryTimeout', 'timeout'),
    ...greaterThan(outbound, pointer, ['retries', 'backoff'], 'base', 'max'),
    ...greaterThan(outbound, pointer, ['outlierDetection'], 'baseEjectionTime', 'maxEjectionTime'),
    ...validateClassification(outbound, pointer),
    ...validateFallback(outbound, pointer),
    ...hedgedFlow(outbound, pointer),
    ...validateParking(outbound, pointer),
  ];
}
