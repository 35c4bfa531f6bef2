/** Retries that nothing would cause. */
import { type Finding, isRecord, member } from './problems.ts';

/** On as long as nothing is written. */
const causes = ['connectFailure', 'refused', 'reset'] as const;
const statusLists = ['grpcStatuses', 'httpStatuses'] as const;

/** `pointer`: where `outbound` stands. */
export function validateRetries(outbound: unknown, pointer: string): Finding[] {
  const retryOn = member(member(outbound, 'retries'), 'retryOn');
  if (!isRecord(retryOn) || causes.some((cause) => retryOn[cause] !== false)) return [];
  const isTimed = retryOn.tryTimeout !== false && member(outbound, 'perTryTimeout') !== undefined;
  if (isTimed || !statusLists.every((name) => isEmpty(retryOn[name]))) return [];
  const message = 'no failure is worth a retry: everything that could be is switched off';
  return [
    { pointer: `${pointer}/retries/retryOn`, message, hint: 'leave something on, or remove retries', atKey: true },
  ];
}

function isEmpty(list: unknown): boolean {
  return Array.isArray(list) && list.length === 0;
}
