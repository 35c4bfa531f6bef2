/** What a schema cannot say about the outbound side; one line for each section. */
import type { Finding } from './problems.ts';
import { greaterThan } from './validate-order.ts';

/** `pointer`: where `outbound` stands. */
export function validateOutbound(outbound: unknown, pointer: string): Finding[] {
  return [
    ...greaterThan(outbound, pointer, ['circuitBreaker'], 'openFor', 'openForMax'),
    ...greaterThan(outbound, pointer, ['healthCheck'], 'timeout', 'interval'),
  ];
}
