/**
 * The view of the fleet, from heartbeats moved by hand.
 */
import { describe, expect, it } from 'vitest';
import { closedBreaker, FleetView } from '../../../control-plane/fleet/fleet-view.ts';
import type { PublishedBundle } from '../../../control-plane/fleet/policy-status.ts';
import type { FleetBreakerView } from '../../../proto/api.ts';
import type { Heartbeat } from '../../../proto/fleet-messages.ts';
import { bucketOf } from '../../../proto/kernel/histogram.ts';

interface Beat {
  readonly service?: string;
  readonly instance?: string;
  readonly incarnation?: string;
  readonly seq: number;
  readonly requests?: number;
  readonly success?: number;
  readonly failure?: number;
  readonly rejected?: Record<string, number>;
  readonly latency?: readonly number[];
  readonly extra?: Partial<Heartbeat>;
}

function beat({ service = 'payments', instance = 'payments-0', incarnation = 'a', seq, ...counts }: Beat): Heartbeat {
  const { requests, success = requests ?? 0, failure = 0, rejected = {}, latency = [], extra = {} } = counts;
  const row = { direction: 'inbound', peer: `shop/${service}`, success, failure, rejected, latencyBuckets: latency };
  return {
    v: 1,
    identity: { namespace: 'shop', service, instance, incarnation, zone: '', version: '1' },
    seq,
    address: '',
    draining: false,
    intervalMs: 1000,
    policies: [],
    traffic: requests === undefined ? [] : [{ ...row, requests, inFlight: 2, concurrencyLimit: 0, queueDepth: 1 }],
    breakers: [],
    process: null,
    ...extra,
  };
}

const nobody = { bundles: new Map<string, PublishedBundle>(), fleetBreaker: () => undefined, quotas: () => [] };
const breaker = (local: string, fleet = 'closed') => ({
  target: 'shop/payments',
  local,
  fleet,
  generation: 1,
  ageMs: 500,
  cause: 'c',
});

describe('FleetView', () => {
  it('takes rates from differences, over lost heartbeats too, and knows nothing from one alone', () => {
    const view = new FleetView();
    view.onHeartbeat(beat({ seq: 1, requests: 1000 }), 0);
    expect(view.instanceViews(0)[0]?.inbound.requestsPerSecond).toBeNull();
    view.onHeartbeat(beat({ seq: 4, requests: 1300, success: 1150, failure: 50, rejected: { rate_limit: 60 } }), 3000);
    expect(view.instanceViews(3000)[0]?.inbound).toMatchObject({
      requestsPerSecond: 100,
      rejectedPerSecond: { rate_limit: 20 },
      inFlight: 2,
      concurrencyLimit: null,
      queueDepth: 1,
    });
  });

  it('ignores duplicates and late ones, begins again with a new incarnation, and does not go back to the old', () => {
    const view = new FleetView();
    view.onHeartbeat(beat({ seq: 5, requests: 100 }), 0);
    view.onHeartbeat(beat({ seq: 5, requests: 900 }), 100);
    view.onHeartbeat(beat({ seq: 4, requests: 900 }), 200);
    expect(view.instanceViews(300)[0]?.lastSeenMs).toBe(300);
    expect(view.onHeartbeat(beat({ seq: 1, incarnation: 'b', requests: 5 }), 1000)).toMatchObject({
      kind: 'restarted',
    });
    expect(view.onHeartbeat(beat({ seq: 9, incarnation: 'a', requests: 999 }), 1100)).toBeUndefined();
    view.onHeartbeat(beat({ seq: 2, incarnation: 'b', requests: 15 }), 2000);
    expect(view.instanceViews(2000)[0]?.inbound.requestsPerSecond).toBe(10);
  });

  it('adds rates of instances and merges their histograms instead of averaging percentiles', () => {
    const view = new FleetView();
    const fast = bucketOf(1_000);
    const slow = bucketOf(1_000_000);
    for (const [at, fastCount, slowCount] of [
      [0, 0, 0],
      [5000, 980, 20],
    ] as const) {
      view.onHeartbeat(beat({ seq: at + 1, requests: fastCount, latency: [fast, fastCount] }), at);
      view.onHeartbeat(
        beat({ instance: 'payments-1', seq: at + 1, requests: slowCount, latency: [slow, slowCount] }),
        at,
      );
    }
    const inbound = view.serviceViews(nobody, 5000)[0]?.inbound;
    expect(inbound?.requestsPerSecond).toBe(200);
    expect(inbound?.p50Ms).toBeLessThan(1.1);
    expect(inbound?.p99Ms).toBeGreaterThan(900);
  });

  it('shows who is silent as stale with unknown traffic, then forgets it', () => {
    const view = new FleetView();
    view.onHeartbeat(beat({ seq: 1, requests: 1 }), 0);
    view.onHeartbeat(beat({ seq: 2, requests: 2 }), 1000);
    expect(view.tick(4000)).toEqual([]);
    expect(view.tick(4001)).toEqual([{ kind: 'stale', service: 'shop/payments', instance: 'payments-0' }]);
    expect(view.serviceViews(nobody, 4001)[0]).toMatchObject({
      live: 0,
      stale: 1,
      inbound: { requestsPerSecond: null, inFlight: null },
    });
    expect(view.onHeartbeat(beat({ seq: 3, requests: 3 }), 5000)).toMatchObject({ kind: 'returned' });
    view.tick(10_000);
    expect(view.tick(65_001)).toEqual([{ kind: 'gone', service: 'shop/payments', instance: 'payments-0' }]);
    expect(view.serviceViews(nobody, 65_001)).toEqual([]);
  });

  it('keeps no more instances than its bound, and keeps the ones it has', () => {
    const view = new FleetView(2);
    for (const instance of ['p-0', 'p-1', 'p-2']) view.onHeartbeat(beat({ instance, seq: 1 }), 0);
    view.onHeartbeat(beat({ instance: 'p-0', seq: 2 }), 1000);
    expect(view.instanceViews(1000).map(({ instance, lastSeenMs }) => [instance, lastSeenMs])).toEqual([
      ['p-0', 0],
      ['p-1', 1000],
    ]);
  });

  it('counts a version on the own sidecars and the callers, live ones only', () => {
    const view = new FleetView();
    const applied = (hash: string, status = 'applied') => [
      { target: 'shop/payments', epoch: 'e', version: 3, hash, status, message: 'why' },
    ];
    view.onHeartbeat(beat({ seq: 1, extra: { policies: applied('h') } }), 0);
    view.onHeartbeat(beat({ instance: 'payments-1', seq: 1, extra: { policies: applied('old') } }), 0);
    view.onHeartbeat(
      beat({ service: 'orders', instance: 'orders-0', seq: 1, extra: { breakers: [breaker('closed')] } }),
      0,
    );
    view.onHeartbeat(
      beat({ service: 'orders', instance: 'orders-1', seq: 1, extra: { policies: applied('', 'rejected') } }),
      0,
    );
    view.onHeartbeat(beat({ service: 'other', instance: 'other-0', seq: 1 }), 0);
    view.onHeartbeat(beat({ instance: 'payments-2', seq: 1, extra: { draining: true } }), 0);
    const bundles = new Map([['shop/payments', { version: 3, hash: 'h', hasPolicy: true }]]);
    const payments = view.serviceViews({ ...nobody, bundles }, 0).find(({ service }) => service === 'payments');
    expect(payments?.policy).toEqual({
      version: 3,
      hash: 'h',
      applied: 1,
      expected: 4,
      rejected: [{ instance: 'shop/orders/orders-1', message: 'why' }],
      behind: ['shop/payments/payments-1', 'shop/orders/orders-0'],
      held: [],
      summary: '1/4: 2 stale, 1 refused because why',
    });
    expect(payments).toMatchObject({ live: 2, draining: 1, callers: ['shop/orders'] });
  });

  it('shows a cell per caller and target: the worst state, how many are in which, and who', () => {
    const view = new FleetView();
    view.onHeartbeat(
      beat({ service: 'orders', instance: 'orders-0', seq: 1, extra: { breakers: [breaker('closed')] } }),
      0,
    );
    view.onHeartbeat(
      beat({ service: 'orders', instance: 'orders-1', seq: 1, extra: { breakers: [breaker('closed', 'open')] } }),
      0,
    );
    expect(view.breakerCells(100)).toMatchObject([
      {
        caller: 'shop/orders',
        target: 'shop/payments',
        state: 'open',
        fleet: true,
        counts: { open: 1, closed: 1 },
        ageMs: 600,
        instances: [{ instance: 'orders-1' }, { instance: 'orders-0' }],
      },
    ]);
    // A silent caller says nothing about its breakers.
    expect(view.breakerCells(10_000)).toEqual([]);
  });

  it('puts the worst first: open before failing before refusing before quiet', () => {
    const view = new FleetView();
    for (const at of [0, 5000]) {
      const seq = at + 1;
      view.onHeartbeat(beat({ service: 'quiet', instance: 'q', seq, requests: at * 10 }), at);
      view.onHeartbeat(
        beat({
          service: 'refusing',
          instance: 'r',
          seq,
          requests: at,
          success: at / 2,
          rejected: { rate_limit: at / 2 },
        }),
        at,
      );
      view.onHeartbeat(
        beat({ service: 'failing', instance: 'f', seq, requests: at, success: at / 2, failure: at / 2 }),
        at,
      );
      view.onHeartbeat(beat({ service: 'open', instance: 'o', seq, requests: at }), at);
    }
    const open: FleetBreakerView = { ...closedBreaker('shop/open'), state: 'open' };
    const around = { ...nobody, fleetBreaker: (target: string) => (target === 'shop/open' ? open : undefined) };
    expect(view.serviceViews(around, 5000).map(({ service }) => service)).toEqual([
      'open',
      'failing',
      'refusing',
      'quiet',
    ]);
  });

  it('keeps a minute of rates, with holes where nothing was known', () => {
    const view = new FleetView();
    for (let second = 0; second < 3; second++) {
      view.onHeartbeat(beat({ seq: second + 1, requests: second * 10 }), second * 1000);
      view.tick(second * 1000);
    }
    const sparkline = view.serviceViews(nobody, 2000)[0]?.sparkline;
    expect(sparkline).toHaveLength(60);
    expect(sparkline?.slice(-4)).toEqual([null, null, 10, 10]);
  });

  it('offers the addresses of live instances, draining ones marked', () => {
    const view = new FleetView();
    view.onHeartbeat(beat({ seq: 1, extra: { address: 'a:1' } }), 0);
    view.onHeartbeat(beat({ instance: 'payments-1', seq: 1, extra: { address: 'b:1', draining: true } }), 2000);
    view.onHeartbeat(beat({ instance: 'payments-2', seq: 1 }), 2000);
    expect(view.endpoints('shop/payments', 2500).map(({ address, draining }) => [address, draining])).toEqual([
      ['a:1', false],
      ['b:1', true],
    ]);
    expect(view.endpoints('shop/payments', 3500).map(({ address }) => address)).toEqual(['b:1']);
  });
});
