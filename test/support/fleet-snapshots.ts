/** Snapshots of a small fleet, as the control plane would send them, to show the dashboard any day of its life. */
import type {
  BreakerCellView,
  BreakerStateName,
  FleetBreakerView,
  FleetSnapshot,
  ServiceView,
  TrafficView,
} from '../../proto/api.ts';

export const quietTraffic: TrafficView = {
  requestsPerSecond: null,
  successRatio: null,
  failuresPerSecond: null,
  rejectedPerSecond: {},
  p50Ms: null,
  p99Ms: null,
  inFlight: null,
  concurrencyLimit: null,
  queueDepth: null,
};

export function traffic(requestsPerSecond: number, more: Partial<TrafficView> = {}): TrafficView {
  return {
    ...quietTraffic,
    requestsPerSecond,
    successRatio: 1,
    failuresPerSecond: 0,
    p50Ms: 42,
    p99Ms: 88.6,
    inFlight: 4,
    queueDepth: 0,
    ...more,
  };
}

export function fleetBreaker(target: string, state: BreakerStateName = 'closed'): FleetBreakerView {
  const isOpen = state !== 'closed';
  return {
    target,
    state,
    generation: isOpen ? 3 : 2,
    epoch: '0000001764000000-1',
    openedAt: isOpen ? '2026-11-24T14:02:11.000Z' : null,
    ageMs: 2_400,
    coolMs: isOpen ? 1_000 : 0,
    evidence: isOpen ? '4 of 4 callers, 61/80 failed' : '',
    voters: isOpen ? 4 : 0,
    failingVoters: isOpen ? 4 : 0,
    n: isOpen ? 80 : 0,
    fail: isOpen ? 61 : 0,
  };
}

export function service(name: string, more: Partial<ServiceView> = {}): ServiceView {
  const [namespace = '', short = ''] = name.split('/');
  return {
    namespace,
    service: short,
    live: 2,
    stale: 0,
    draining: 0,
    policy: { version: 3, hash: 'c0ffee', applied: 8, expected: 8, rejected: [], behind: [], held: [], summary: '8/8' },
    inbound: traffic(212),
    sparkline: Array.from({ length: 60 }, (_, i) => (i < 6 || i === 31 ? null : 200 + 18 * Math.sin(i / 4))),
    breaker: fleetBreaker(name),
    quotas: [],
    callers: [],
    targets: [],
    attention: 2,
    ...more,
  };
}

export interface InstanceBreaker {
  readonly local?: BreakerStateName;
  readonly fleet?: BreakerStateName;
  readonly cause?: string;
  readonly ageMs?: number;
}

export function cell(caller: string, target: string, breakers: readonly InstanceBreaker[]): BreakerCellView {
  const instances = breakers.map(({ local = 'closed', fleet = 'closed', cause = '', ageMs = 61_000 }, index) => ({
    instance: `${caller.split('/')[1]}-${index}`,
    local,
    fleet,
    ageMs,
    cause,
  }));
  const states = instances.map(({ local, fleet }) => (fleet === 'closed' ? local : fleet));
  const counts: Record<string, number> = {};
  for (const state of states) counts[state] = (counts[state] ?? 0) + 1;
  const state = states.find((each) => each !== 'closed') ?? 'closed';
  const worst = instances.find((_, index) => states[index] === state);
  return {
    caller,
    target,
    state,
    fleet: state !== 'closed' && worst?.fleet === state,
    counts,
    ageMs: worst?.ageMs ?? 0,
    cause: worst?.cause ?? '',
    instances,
  };
}

/** A bad afternoon: payments is cut off for the fleet, and inventory only for one caller instance. */
export function badAfternoon(at = new Date().toISOString()): FleetSnapshot {
  return {
    at,
    controlPlane: { id: 'cp-0', leader: true, natsConnected: true, epoch: '0000001764000000-1' },
    services: [
      service('shop/payments', {
        breaker: fleetBreaker('shop/payments', 'open'),
        inbound: traffic(38, {
          successRatio: 0.2375,
          failuresPerSecond: 29,
          p99Ms: 1_204,
          inFlight: 5,
          concurrencyLimit: 5,
          queueDepth: 8,
          rejectedPerSecond: { queue_full: 182.4, queue_timeout: 12.3 },
        }),
        sparkline: Array.from({ length: 60 }, (_, i) =>
          i < 44 ? 205 + 14 * Math.sin(i) : Math.max(36, 205 - (i - 43) * 42),
        ),
        attention: 1_530,
      }),
      service('shop/orders', {
        live: 3,
        stale: 1,
        policy: {
          version: 2,
          hash: 'beef',
          applied: 3,
          expected: 4,
          rejected: [],
          behind: ['orders-3'],
          held: [],
          summary: '3/4: 1 stale',
        },
        inbound: traffic(214, { successRatio: 0.9971, inFlight: 12 }),
        attention: 110,
      }),
      service('shop/inventory', {
        live: 1,
        policy: {
          version: null,
          hash: null,
          applied: 0,
          expected: 0,
          rejected: [],
          behind: [],
          held: [],
          summary: '0/0',
        },
        inbound: traffic(16, { p99Ms: 7.4, inFlight: 0 }),
        attention: 1,
      }),
      service('shop/emails', {
        live: 1,
        inbound: quietTraffic,
        sparkline: Array.from({ length: 60 }, () => null),
        attention: 0,
      }),
    ],
    breakers: [
      cell(
        'shop/orders',
        'shop/payments',
        [0, 1, 2, 3].map((index) => ({
          local: index < 3 ? 'open' : 'closed',
          fleet: 'open',
          cause: index < 3 ? '5 consecutive failures' : '',
          ageMs: 2_400,
        })),
      ),
      cell('shop/orders', 'shop/inventory', [
        {},
        {},
        { local: 'half_open', cause: '12 of 20 failed in 2 s', ageMs: 900 },
        {},
      ]),
      cell('shop/emails', 'shop/orders', [{}]),
    ],
    events: [
      { at: '2026-11-24T13:58:02.000Z', kind: 'instance', target: 'shop/orders', text: 'orders-3 is stale' },
      { at: '2026-11-24T14:01:40.000Z', kind: 'policy', target: 'shop/payments', text: 'version 3 published' },
      {
        at: '2026-11-24T14:02:11.000Z',
        kind: 'breaker',
        target: 'shop/payments',
        text: 'opened: 4 of 4 callers, 61/80 failed',
      },
    ],
  };
}
