/** Breaker states by name, and which of two is the worse news. */
import type { BreakerStateName } from '../../proto/api.ts';

const severity: Readonly<Record<BreakerStateName, number>> = {
  closed: 0,
  forced_closed: 1,
  ramp: 2,
  half_open: 3,
  open: 4,
  forced_open: 5,
};

const names: ReadonlyMap<string, BreakerStateName> = new Map([
  ['closed', 'closed'],
  ['forced_closed', 'forced_closed'],
  ['ramp', 'ramp'],
  ['half_open', 'half_open'],
  ['open', 'open'],
  ['forced_open', 'forced_open'],
]);

/** What a newer peer calls by a name we do not know is shown as closed. */
export function breakerStateName(text: string): BreakerStateName {
  return names.get(text) ?? 'closed';
}

export function breakerSeverity(state: BreakerStateName): number {
  return severity[state];
}

export function worse(left: BreakerStateName, right: BreakerStateName): BreakerStateName {
  return severity[right] > severity[left] ? right : left;
}
