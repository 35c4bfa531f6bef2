/**
 * Shadow, section by section: under `enforce` a load is refused with a reason; under `shadow` the same load is served whole,
 * and counted as what would have been refused, with the same reason. The table has a row for every reason that a policy can
 * be the cause of, and for every section that refuses.
 */
import { describe, expect, it } from 'vitest';
import {
  type InboundSpec,
  OutboundSpec,
  type PolicySpec,
  InboundSpec as Sections,
} from '../../../proto/policy/schema.ts';
import { reasonTable } from '../../../proto/reasons.ts';
import { type Direction, ShadowRig } from './shadow-rig.ts';

type Spec = Omit<PolicySpec, 'target' | 'enforcement'>;

interface Row {
  /** Of which the row is; more than one where it takes several to refuse. */
  readonly sections: readonly string[];
  readonly title: string;
  readonly direction: Direction;
  readonly spec: Spec;
  readonly load: (rig: ShadowRig) => void;
  readonly reason: string;
  /** Other reasons that the load is refused for. */
  readonly beside?: readonly string[];
  /** The section cannot stand in a route. */
  readonly serviceOnly?: true;
  /** The refusal comes after the head of the answer. */
  readonly isLate?: true;
}

const gets =
  (count: number, apartMs = 0) =>
  (rig: ShadowRig): void => {
    for (let i = 0; i < count; i++) {
      rig.get();
      rig.pass(apartMs);
    }
  };

const slowApp =
  (serveMs: number, load: (rig: ShadowRig) => void) =>
  (rig: ShadowRig): void => {
    rig.app.serveMs = serveMs;
    load(rig);
  };

const failing = (rig: ShadowRig): void => {
  rig.app.status = 500;
  gets(4, 20)(rig);
};

const limit1 = { fixed: { limit: 1 } } as const;
/** A queue that refuses nobody, in front of an app of 100 a second that is asked 500. */
const overloaded: InboundSpec = {
  concurrency: limit1,
  queue: { discipline: 'fifo', requestsMax: 10_000, bytesMax: '64MiB', waitMax: '1m' },
  levels: { queueingMax: '10ms', window: '100ms' },
};
const overload = (rig: ShadowRig): void => {
  rig.app.serveMs = 12;
  rig.app.oneByOne = true;
  rig.load(500, 600);
};

const inbound = (
  title: string,
  spec: InboundSpec,
  load: Row['load'],
  reason: string,
  more: Partial<Row> = {},
): Row => ({
  sections: Object.keys(spec)
    .slice(-1)
    .map((name) => `inbound.${name}`),
  title,
  direction: 'inbound',
  spec: { inbound: spec },
  load,
  reason,
  ...more,
});
const outbound = (
  title: string,
  spec: OutboundSpec,
  load: Row['load'],
  reason: string,
  more: Partial<Row> = {},
): Row => ({
  sections: Object.keys(spec).map((name) => `outbound.${name}`),
  title,
  direction: 'outbound',
  spec: { outbound: spec },
  load,
  reason,
  ...more,
});
const limit = (algorithm: object) => ({ rateLimits: [{ name: 'all', rate: '2/m', ...algorithm }] });

const stalled = slowApp(400, (rig) => {
  rig.app.streams = true;
  rig.get();
});

const rows: readonly Row[] = [
  inbound('a token bucket', limit({ burst: 2 }), gets(4), 'rate_limit'),
  inbound('a leaky bucket', limit({ algorithm: { leakyBucket: { waitMax: '40s' } } }), gets(4), 'rate_limit'),
  inbound('a fixed window', limit({ algorithm: { fixedWindow: {} } }), gets(4), 'rate_limit'),
  inbound('a sliding window', limit({ algorithm: { slidingWindow: {} } }), gets(4), 'rate_limit'),
  inbound('a limit by key', limit({ burst: 2, key: { path: {} }, keysMax: 1 }), gets(4), 'rate_limit'),
  inbound('a limit and no queue', { queue: { discipline: 'none' }, concurrency: limit1 }, gets(3), 'queue_full'),
  inbound(
    'an adaptive limit',
    { queue: { discipline: 'none' }, concurrency: { vegasBdp: { initial: 2, max: 2 } } },
    gets(4),
    'queue_full',
  ),
  inbound(
    'a full queue',
    { concurrency: limit1, queue: { discipline: 'fifo', requestsMax: 1 } },
    gets(4),
    'queue_full',
  ),
  inbound(
    'a queue that waits too long',
    { concurrency: limit1, queue: { discipline: 'fifo', waitMax: '20ms' } },
    slowApp(100, gets(3)),
    'queue_timeout',
  ),
  inbound(
    'a full queue that drops its oldest',
    { concurrency: limit1, queue: { discipline: 'fifo', requestsMax: 1, whenFull: 'oldest' } },
    gets(4),
    'evicted',
  ),
  inbound(
    'a standing queue',
    { concurrency: limit1, queue: { discipline: 'fifo', waitMax: '1m', codel: { target: '1ms', interval: '10ms' } } },
    slowApp(20, (rig) => {
      rig.app.oneByOne = true;
      gets(1, 40)(rig);
      gets(8)(rig);
    }),
    'queue_shed',
  ),
  inbound(
    'a queue in which some would be too late',
    { concurrency: limit1, queue: { discipline: 'fifo', waitMax: '1m', deadlineMargin: true } },
    slowApp(100, (rig) => {
      gets(1, 120)(rig);
      rig.get();
      rig.get('/', [
        ['grpc-timeout', '50m'],
        ['x-serve', '4'],
      ]);
    }),
    'deadline_unreachable',
  ),
  inbound('a deadline', { deadline: { default: '20ms' } }, slowApp(100, gets(1)), 'deadline'),
  inbound('a longest deadline', { deadline: { max: '20ms' } }, slowApp(100, gets(1)), 'deadline'),
  inbound(
    'a field with the time left',
    { deadline: { header: 'x-timeout-ms' } },
    slowApp(100, (rig) => rig.get('/', [['x-timeout-ms', '20']])),
    'deadline',
  ),
  inbound('a stall timeout', { flowControl: { stallTimeout: '100ms' } }, stalled, 'flow_control', { isLate: true }),
  outbound('a stall timeout', { flowControl: { stallTimeout: '100ms' } }, stalled, 'flow_control', { isLate: true }),
  inbound('levels', overloaded, overload, 'shed', { serviceOnly: true }),
  inbound(
    'a rule of what can be done without',
    {
      ...overloaded,
      priorities: { rules: [{ tier: 'normal', essential: false, match: { path: { exact: '/extra' } } }] },
    },
    (rig) => {
      overload(rig);
      rig.get('/extra');
    },
    'degraded',
    { serviceOnly: true, beside: ['shed'] },
  ),
  {
    sections: ['routes.essential'],
    title: 'a route that can be done without',
    direction: 'inbound',
    spec: { inbound: overloaded, routes: [{ name: 'extra', match: { path: { exact: '/extra' } }, essential: false }] },
    load: (rig) => {
      overload(rig);
      rig.get('/extra');
    },
    reason: 'degraded',
    serviceOnly: true,
    beside: ['shed'],
  },
  outbound('a timeout', { timeout: '20ms' }, slowApp(100, gets(1)), 'deadline'),
  outbound(
    'a field with the time left',
    { timeoutHeader: 'x-timeout-ms' },
    slowApp(100, (rig) => rig.get('/', [['x-timeout-ms', '20']])),
    'deadline',
  ),
  outbound('a timeout of an attempt', { perTryTimeout: '20ms' }, slowApp(100, gets(1)), 'try_timeout'),
  outbound(
    'a timeout of connections',
    { connectTimeout: '20ms' },
    (rig) => {
      rig.app.connectMs = 200;
      rig.get();
    },
    'upstream_connect',
  ),
  outbound('a breaker by failures in a row', { circuitBreaker: { consecutiveFailures: 2 } }, failing, 'breaker_open'),
  outbound(
    'a breaker by a share of failures',
    { circuitBreaker: { failureRatio: { minRequests: 2 } } },
    failing,
    'breaker_open',
  ),
  outbound(
    'a breaker by slow calls',
    { circuitBreaker: { slowCalls: { slowerThan: '20ms', minRequests: 2 } } },
    slowApp(40, gets(4, 60)),
    'breaker_open',
  ),
  outbound(
    'a breaker of an endpoint',
    { circuitBreaker: { scope: 'perEndpoint', consecutiveFailures: 2 } },
    failing,
    'breaker_open',
    { serviceOnly: true },
  ),
  outbound(
    'a breaker by verdict of the fleet',
    { circuitBreaker: { consecutiveFailures: 1000 } },
    (rig) => {
      const verdict = { state: 'open', generation: 1, epoch: '1', ttlMs: 60_000, allow: 0, evidence: '' };
      rig.policy.outbound.breaker?.applyFleet(verdict, rig.clock.nowMs);
      rig.get();
    },
    'fleet_breaker_open',
    // The verdict is about the service.
    { serviceOnly: true },
  ),
  outbound(
    'a throttle',
    { throttle: { enabled: true, window: '1s' } },
    (rig) => {
      rig.app.status = 429;
      rig.load(100, 1000);
    },
    'client_throttle',
  ),
  {
    ...inbound('the level of the service', overloaded, gets(4, 20), 'upstream_level', { serviceOnly: true }),
    direction: 'outbound',
    load: (rig) => {
      rig.app.fields = [['weir-level', '0']];
      gets(4, 20)(rig);
    },
  },
];

/** The same sections, of a route that everything belongs to. */
function inRoute(spec: Spec): Spec {
  return { routes: [{ name: 'all', match: { path: { prefix: '/' } }, ...spec }] };
}

const cases = rows.flatMap((row) => [
  { ...row, name: `${row.title}, ${row.direction}` },
  ...(row.serviceOnly ? [] : [{ ...row, name: `${row.title} in a route, ${row.direction}`, spec: inRoute(row.spec) }]),
]);

describe.each(cases)('$name', ({ direction, spec, load, reason, beside = [], isLate = false }) => {
  function run(enforcement: 'enforce' | 'shadow' | 'disabled'): ShadowRig {
    const rig = new ShadowRig(direction, { ...spec, enforcement });
    load(rig);
    rig.settle();
    expect(rig.traffic.inFlight).toBe(0);
    return rig;
  }

  it(`refuses with ${reason} where it is enforced`, () => {
    const rig = run('enforce');
    expect(Object.keys(rig.refused).sort()).toEqual([...beside, reason].sort());
    expect(rig.wouldRefuse).toEqual({});
    expect(rig.unserved).toBeGreaterThan(0);
    if (!isLate) expect(rig.told).toContain(reason);
  });

  it(`serves all of it in shadow, and counts ${reason}`, () => {
    const rig = run('shadow');
    expect({ refused: rig.refused, unserved: rig.unserved, told: rig.told }).toEqual({
      refused: {},
      unserved: 0,
      told: [],
    });
    expect(rig.reached).toBe(rig.callers.length);
    expect(Object.keys(rig.wouldRefuse).sort()).toEqual([...beside, reason].sort());
    const [route] = rig.policy.routeCounts();
    if (spec.inbound === undefined && spec.outbound === undefined) {
      expect(Object.fromEntries(route!.totals()).would_reject).toBe(rig.wouldRefuse[reason]);
    }
  });

  it('serves all of it where it is disabled, and counts nothing', () => {
    const rig = run('disabled');
    expect([rig.refused, rig.wouldRefuse, rig.unserved]).toEqual([{}, {}, 0]);
  });
});

describe.each(['enforce', 'shadow'] as const)('under %s', (enforcement) => {
  it('no more is delivered than the app wants, which is no policy', () => {
    const rig = new ShadowRig('inbound', { enforcement, inbound: { concurrency: { fixed: { limit: 5 } } } });
    rig.delivery.pause();
    rig.delivery.add(2);
    gets(4)(rig);
    rig.settle();
    expect([rig.reached, rig.delivery.remaining]).toEqual([2, 0]);
    rig.delivery.open();
    gets(1)(rig);
    rig.settle();
    expect(rig.reached).toBe(3);
  });
});

describe('the table', () => {
  /** Reasons that no policy is the cause of. */
  const notByPolicy: Readonly<Record<string, string>> = {
    none: 'no refusal',
    draining: 'the process ends',
    no_route: 'a caller names a service that nobody knows',
    no_endpoints: 'nobody is known; where all are ill, ejected or broken, one is asked all the same',
    upstream_reset: 'the service did it',
    upstream_protocol: 'the service did it',
    bad_request: 'the caller did it',
    unauthenticated: 'the mesh token is a setting of the process',
    cancelled: 'the caller did it',
    internal: 'a bug',
    headers_too_large: 'a setting of the process',
    proxy_overload: 'the proxy saves itself',
    request_timeout: 'a setting of the process',
    connect_refused: 'the caller asked for a tunnel',
    unsupported: 'the service takes no upgrades',
    paused: 'the app said so',
  };
  /** Sections that order, choose, tell or repeat, and refuse nothing. */
  const refusesNothing = [
    'inbound.signals',
    'outbound.classification',
    'outbound.healthCheck',
    'outbound.retries',
    'outbound.hedging',
    'outbound.outlierDetection',
    'outbound.loadBalancing',
    'outbound.fallback',
    'outbound.parking',
  ];

  it('has a row for every reason that a policy can be the cause of', () => {
    const known = new Set([...rows.map(({ reason }) => reason), ...Object.keys(notByPolicy)]);
    expect(reasonTable.map(({ name }) => name).filter((name) => !known.has(name))).toEqual([]);
    expect(rows.filter(({ reason }) => Object.hasOwn(notByPolicy, reason))).toEqual([]);
  });

  it('has a row for every section that can refuse', () => {
    const sections = [
      ...Object.keys(Sections.properties).map((name) => `inbound.${name}`),
      ...Object.keys(OutboundSpec.properties).map((name) => `outbound.${name}`),
      'routes.essential',
    ];
    const covered = new Set([...rows.flatMap((row) => row.sections), ...refusesNothing]);
    expect(sections.filter((section) => !covered.has(section))).toEqual([]);
  });
});
