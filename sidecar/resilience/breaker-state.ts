/** The states of a breaker, local or of the fleet: small integers on the hot path, the same that the metric shows. */
export const BreakerState = { closed: 0, halfOpen: 1, open: 2, ramp: 3, forcedOpen: 4, forcedClosed: 5 } as const;
export type BreakerStateCode = (typeof BreakerState)[keyof typeof BreakerState];

/** Index = state: the words of the wire, the API and the logs. */
const stateNames = ['closed', 'half_open', 'open', 'ramp', 'forced_open', 'forced_closed'] as const;
export type BreakerStateName = (typeof stateNames)[number];

export function breakerStateName(state: BreakerStateCode): BreakerStateName {
  return stateNames[state];
}

const codes: readonly BreakerStateCode[] = Object.values(BreakerState);

/** Nothing passes but probes. */
export function isShut(state: BreakerStateCode): boolean {
  return state === BreakerState.open || state === BreakerState.halfOpen || state === BreakerState.forcedOpen;
}

/** A code that was kept as a plain number. */
export function breakerStateOf(code: number): BreakerStateCode {
  return codes[code] ?? BreakerState.closed;
}

const statesByName: ReadonlyMap<string, BreakerStateCode> = new Map<string, BreakerStateCode>([
  ['closed', BreakerState.closed],
  ['half_open', BreakerState.halfOpen],
  ['open', BreakerState.open],
  ['ramp', BreakerState.ramp],
  ['forced_open', BreakerState.forcedOpen],
  ['forced_closed', BreakerState.forcedClosed],
]);

/** Undefined for a word that a later version may have brought. */
export function parseBreakerState(name: string): BreakerStateCode | undefined {
  return statesByName.get(name);
}
