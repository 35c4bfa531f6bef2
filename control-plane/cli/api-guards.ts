/**
 * The API's answers, checked for what the tables show and no more: a newer control plane may say more. By hand rather
 * than by the TypeBox schemas of proto/api.ts, because loading TypeBox takes four times as long as the whole command;
 * the types still come from there, so that a renamed field does not compile.
 */
import type {
  AppliedView,
  BreakerStateName,
  FleetBreakerView,
  InstanceBreakerView,
  InstanceView,
  PolicyStatusView,
  ServiceView,
  TrafficView,
} from '../../proto/api.ts';
import { isRecord } from '../../proto/policy/problems.ts';

type Checks<T> = { readonly [Field in keyof T]: (value: unknown) => value is T[Field] };

/** A guard over exactly the fields of T; the compiler asks for every one of them. */
function shape<T extends object>(checks: Checks<T>): (value: unknown) => value is T {
  const fields = Object.entries<(value: unknown) => boolean>(checks);
  return (value): value is T => isRecord(value) && fields.every(([field, check]) => check(value[field]));
}

const isText = (value: unknown): value is string => typeof value === 'string';
const isNumber = (value: unknown): value is number => typeof value === 'number';
const isNumberOrNull = (value: unknown): value is number | null => value === null || isNumber(value);

function listOf<T>(check: (value: unknown) => value is T): (value: unknown) => value is T[] {
  return (value): value is T[] => Array.isArray(value) && value.every(check);
}

const isNumbersByName = (value: unknown): value is Record<string, number> =>
  isRecord(value) && Object.values(value).every(isNumber);

const breakerStates: Readonly<Record<BreakerStateName, true>> = {
  closed: true,
  open: true,
  half_open: true,
  ramp: true,
  forced_open: true,
  forced_closed: true,
};
const isBreakerState = (value: unknown): value is BreakerStateName =>
  typeof value === 'string' && Object.hasOwn(breakerStates, value);

const isTraffic = shape<TrafficView>({
  requestsPerSecond: isNumberOrNull,
  successRatio: isNumberOrNull,
  failuresPerSecond: isNumberOrNull,
  rejectedPerSecond: isNumbersByName,
  p50Ms: isNumberOrNull,
  p99Ms: isNumberOrNull,
  inFlight: isNumberOrNull,
  concurrencyLimit: isNumberOrNull,
  queueDepth: isNumberOrNull,
});

export type PolicyStatusRow = Pick<PolicyStatusView, 'version' | 'applied' | 'expected'> & {
  readonly rejected: readonly unknown[];
};
export type FleetBreakerRow = Pick<FleetBreakerView, 'state' | 'ageMs' | 'evidence'>;
export type ServiceRow = Pick<
  ServiceView,
  'namespace' | 'service' | 'live' | 'stale' | 'draining' | 'inbound' | 'callers' | 'targets' | 'attention'
> & { readonly policy: PolicyStatusRow; readonly breaker: FleetBreakerRow };

export const isServiceRow = shape<ServiceRow>({
  namespace: isText,
  service: isText,
  live: isNumber,
  stale: isNumber,
  draining: isNumber,
  inbound: isTraffic,
  callers: listOf(isText),
  targets: listOf(isText),
  attention: isNumber,
  policy: shape<PolicyStatusRow>({
    version: isNumberOrNull,
    applied: isNumber,
    expected: isNumber,
    rejected: (value): value is readonly unknown[] => Array.isArray(value),
  }),
  breaker: shape<FleetBreakerRow>({ state: isBreakerState, ageMs: isNumber, evidence: isText }),
});

export type AppliedRow = Pick<AppliedView, 'target' | 'version' | 'status'>;
export type InstanceBreakerRow = Pick<InstanceBreakerView, 'target' | 'local' | 'fleet'>;
export type InstanceRow = Pick<
  InstanceView,
  | 'namespace'
  | 'service'
  | 'instance'
  | 'incarnation'
  | 'zone'
  | 'version'
  | 'address'
  | 'lastSeenMs'
  | 'inbound'
  | 'rssBytes'
  | 'loopLagMs'
  | 'uptimeMs'
> & {
  readonly state: string;
  readonly policies: readonly AppliedRow[];
  readonly breakers: readonly InstanceBreakerRow[];
};

export const isInstanceRow = shape<InstanceRow>({
  namespace: isText,
  service: isText,
  instance: isText,
  incarnation: isText,
  zone: isText,
  version: isText,
  address: isText,
  state: isText,
  lastSeenMs: isNumber,
  inbound: isTraffic,
  rssBytes: isNumberOrNull,
  loopLagMs: isNumberOrNull,
  uptimeMs: isNumberOrNull,
  policies: listOf(shape<AppliedRow>({ target: isText, version: isNumber, status: isText })),
  breakers: listOf(shape<InstanceBreakerRow>({ target: isText, local: isBreakerState, fleet: isBreakerState })),
});
