/**
 * What requests take, they give back, and what limits promise, they keep: whatever comes, ends, is given up and is swapped
 * in whatever order, through the whole of an exchange and every section of a policy.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { InboundSpec, OutboundSpec, PolicySpec } from '../../../proto/policy/schema.ts';
import type { MeterOptions } from '../../../sidecar/admission/meter.ts';
import { expectBound } from '../admission/arrivals.ts';
import { type Direction, ShadowRig } from './shadow-rig.ts';

type Spec = Omit<PolicySpec, 'target'>;

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('arrive' as const),
      path: fc.constantFrom('/', '/a', '/extra'),
      serveMs: fc.constantFrom(0, 4, 20, 120),
      status: fc.constantFrom(200, 200, 429, 500),
      /** Its caller's patience; 0 = as long as it takes. */
      timeoutMs: fc.constantFrom(0, 0, 10, 60),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(1, 4, 12, 60, 400) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('abandon' as const), which: fc.nat(40) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('swap' as const), which: fc.nat(20) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function play(rig: ShadowRig, steps: readonly Step[], specs: readonly Spec[], check: (spec: Spec) => void): void {
  let current = specs[0]!;
  for (const one of steps) {
    if (one.kind === 'arrive') {
      const { path, serveMs, status, timeoutMs } = one;
      const fields = [
        ['x-serve', String(serveMs)],
        ['x-status', String(status)],
      ] as const;
      rig.get(path, timeoutMs === 0 ? fields : [...fields, ['grpc-timeout', `${timeoutMs}m`]]);
    } else if (one.kind === 'pass') rig.pass(one.ms);
    else if (one.kind === 'swap') {
      current = specs[one.which % specs.length]!;
      rig.apply(current);
    } else {
      const under = rig.callers.filter((caller) => !caller.ended && !caller.isClosed);
      const caller = under[one.which % Math.max(1, under.length)];
      if (caller !== undefined) rig.abandon(caller);
    }
    check(current);
  }
  rig.settle();
  // What was left behind in the app, and what still waits for a turn that nobody will take.
  rig.pass(10_000);
}

const nothing = {
  inFlight: 0,
  timers: 0,
  permits: 0,
  queued: 0,
  queuedBytes: 0,
  longStreams: 0,
  inLine: 0,
  atEndpoints: 0,
  retries: 0,
};

const inSpec = (inbound: InboundSpec, more: Partial<Spec> = {}): Spec => ({ inbound, ...more });
const outSpec = (outbound: OutboundSpec, more: Partial<Spec> = {}): Spec => ({ outbound, ...more });
const paced = { name: 'pace', rate: '20/s', algorithm: { leakyBucket: { waitMax: '1s', requestsMax: 3 } } };
const limit2 = { fixed: { limit: 2 } };

const inboundSpecs: readonly Spec[] = [
  {},
  inSpec({ concurrency: limit2, queue: { requestsMax: 3, bytesMax: '1KiB', waitMax: '40ms' } }),
  inSpec({ concurrency: { vegasBdp: { initial: 2, max: 4 } }, queue: { requestsMax: 2 } }),
  inSpec({ concurrency: { fixed: { limit: 1, abandonAfter: '0s' } }, queue: { discipline: 'fifo', requestsMax: 4 } }),
  inSpec({ concurrency: limit2, queue: { discipline: 'none' } }),
  inSpec({ rateLimits: [paced, { name: 'all', rate: '50/s', burst: 5 }], concurrency: limit2 }),
  inSpec({ rateLimits: [paced], deadline: { default: '30ms', max: '1s' } }, { enforcement: 'shadow' }),
  inSpec({ concurrency: limit2, queue: { requestsMax: 3 } }, { enforcement: 'shadow' }),
  inSpec({ concurrency: limit2, deadline: { default: '30ms' } }, { enforcement: 'disabled' }),
  inSpec(
    { concurrency: limit2, priorities: {}, levels: { window: '100ms', queueingMax: '1ms' }, deadline: { max: '50ms' } },
    { routes: [{ name: 'extra', match: { path: { exact: '/extra' } }, essential: false }] },
  ),
  inSpec(
    { concurrency: limit2 },
    {
      routes: [
        {
          name: 'a',
          match: { path: { exact: '/a' } },
          inbound: { concurrency: { fixed: { limit: 1 } }, queue: { requestsMax: 1 }, rateLimits: [paced] },
        },
      ],
    },
  ),
];

const breaker = { consecutiveFailures: 2, openFor: '50ms', openForMax: '100ms', halfOpen: { probes: 2 } };
const outboundSpecs: readonly Spec[] = [
  {},
  outSpec({ timeout: '50ms', circuitBreaker: breaker }),
  outSpec({ circuitBreaker: { ...breaker, scope: 'perEndpoint' }, outlierDetection: { consecutiveFailures: 2 } }),
  outSpec({ perTryTimeout: '15ms', retries: { attemptsMax: 3, budget: { percent: 100 } }, circuitBreaker: breaker }),
  outSpec({ hedging: { after: '8ms', attemptsMax: 3 }, retries: { retryOn: { httpStatuses: [500] } } }),
  outSpec({ throttle: { enabled: true, window: '1s' }, fallback: { static: { http: { status: 203 } } } }),
  outSpec(
    { timeout: '30ms', retries: {}, hedging: { after: '8ms' }, circuitBreaker: breaker },
    { enforcement: 'shadow' },
  ),
  {
    inbound: { concurrency: limit2, levels: {}, priorities: {} },
    outbound: { circuitBreaker: breaker, fallback: { on: ['serverError', 'refused'], stale: {} } },
    routes: [
      { name: 'a', match: { path: { exact: '/a' } }, outbound: { circuitBreaker: breaker, hedging: { after: '8ms' } } },
    ],
  },
];

describe.each([
  ['inbound', inboundSpecs],
  ['outbound', outboundSpecs],
] as const)('%s', (direction: Direction, specs) => {
  it('gives back all that was taken, and answers everybody once', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 70 }), fc.nat(20), (steps, first) => {
        const order = [specs[first % specs.length]!, ...specs];
        const rig = new ShadowRig(direction, order[0]!, ['10.0.0.1:80', '10.0.0.2:80']);
        // As many as will come, so that what is left says how many were delivered.
        rig.delivery.pause();
        rig.delivery.add(1000);
        play(rig, steps, order, ({ inbound, enforcement }) => {
          const queue = inbound?.queue;
          if (queue === undefined || (enforcement ?? 'enforce') !== 'enforce') return;
          const { admission } = rig.policy.inbound;
          expect(admission?.queued ?? 0).toBeLessThanOrEqual(
            queue.discipline === 'none' ? 0 : (queue.requestsMax ?? 100),
          );
          if (queue.bytesMax === '1KiB') expect(admission?.queuedBytes).toBeLessThanOrEqual(1024);
        });
        expect(rig.leftovers).toEqual(nothing);
        const unanswered = rig.callers.filter((caller) => !caller.ended && !caller.isClosed);
        expect(unanswered).toHaveLength(0);
        expect(rig.callers.filter(({ heads }) => heads.filter(({ status }) => status >= 200).length > 1)).toHaveLength(
          0,
        );
        if (direction === 'inbound') expect(rig.delivery.remaining).toBe(1000 - rig.reached);
        // Whatever the breaker went through, it lets requests through again.
        rig.apply(order[0]!);
        rig.pass(5_000);
        const before = rig.reached;
        rig.get('/other', [['x-serve', '0']]);
        rig.settle();
        if (direction === 'inbound') expect(rig.reached).toBe(before + 1);
        else expect(rig.policy.outbound.breaker?.admits(rig.clock.nowMs) ?? true).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});

describe('a rate limit that stays as it is while policies are swapped around it', () => {
  const kinds: readonly (readonly [string, object, MeterOptions])[] = [
    ['tokenBucket', { burst: 3 }, { kind: 'tokenBucket', ratePerSecond: 20, burst: 3 }],
    ['leakyBucket', { algorithm: { leakyBucket: {} } }, { kind: 'leakyBucket', ratePerSecond: 20, waitMaxMs: 1000 }],
    ['fixedWindow', { algorithm: { fixedWindow: {} } }, { kind: 'fixedWindow', limit: 20, windowMs: 1000 }],
    ['slidingWindow', { algorithm: { slidingWindow: {} } }, { kind: 'slidingWindow', limit: 20, windowMs: 1000 }],
  ];

  it.each(kinds)('keeps its bound: %s', (_kind, fields, meter) => {
    const rateLimits = [{ name: 'all', rate: '20/s', ...fields }];
    const specs: readonly Spec[] = [
      inSpec({ rateLimits }),
      inSpec({ rateLimits: [...rateLimits, paced], concurrency: { fixed: { limit: 50 } } }),
      inSpec({ rateLimits: [{ name: 'other', rate: '500/s' }, ...rateLimits], deadline: { max: '1s' } }),
      inSpec({ rateLimits }, { routes: [{ name: 'a', match: { path: { exact: '/a' } } }] }),
    ];
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 120 }), (steps) => {
        const rig = new ShadowRig('inbound', specs[0]!);
        play(rig, steps, specs, () => {});
        // Those that wait go on with the grain of the wheel.
        expectBound(
          rig.reachedMs.map((atMs) => ({ atMs, cost: 1 })),
          meter,
          8,
        );
      }),
      { numRuns: 40 },
    );
  });
});
