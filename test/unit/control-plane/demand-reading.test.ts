/** What heartbeats, moved by hand, say about the demand for a service. */
import { describe, expect, it } from 'vitest';
import { FleetView } from '../../../control-plane/fleet/fleet-view.ts';
import type { Traffic } from '../../../proto/fleet-messages.ts';

const row = (direction: string, peer: string, requests: number, rejected: Record<string, number>): Traffic => ({
  direction,
  peer,
  requests,
  success: direction === 'inbound' ? requests : 0,
  failure: 0,
  rejected,
  latencyBuckets: [],
  inFlight: direction === 'inbound' ? 6 : 0,
  concurrencyLimit: direction === 'inbound' ? 10 : 0,
  queueDepth: 0,
});

function beat(view: FleetView, service: string, instance: string, seq: number, traffic: readonly Traffic[]): void {
  const identity = { namespace: 'shop', service, instance, incarnation: 'a', zone: '', version: '1' };
  view.onHeartbeat(
    {
      v: 1,
      identity,
      seq,
      address: '',
      draining: false,
      intervalMs: 1000,
      policies: [],
      traffic: [...traffic],
      breakers: [],
      process: null,
    },
    seq * 1000,
  );
}

describe('the demand that heartbeats tell of', () => {
  it('counts what was refused for want of capacity, and neither rate limits nor what callers kept back', () => {
    const view = new FleetView();
    for (const seq of [1, 2]) {
      beat(view, 'payments', 'p-0', seq, [
        row('inbound', 'shop/payments', seq * 60, { shed: seq * 40, rate_limit: seq * 99 }),
      ]);
      beat(view, 'orders', 'o-0', seq, [row('outbound', 'shop/payments', seq * 60, { client_throttle: seq * 50 })]);
    }
    // 6 at once at 60/s take 0.1 s each, so that 40/s refused would be 4 more.
    expect(view.scaling('shop/payments', 2000, 4)).toMatchObject({ wanted: 3, demand: 10, bottleneck: 'service' });
    expect(view.scaling('shop/payments', 2000).targetConcurrency).toBe(7);
    // The caller's throttle is pushback of what it calls.
    beat(view, 'orders', 'o-0', 3, [
      row('outbound', 'shop/payments', 180, { client_throttle: 150 }),
      row('inbound', 'shop/orders', 10, {}),
    ]);
    beat(view, 'orders', 'o-0', 4, [
      row('outbound', 'shop/payments', 240, { client_throttle: 200 }),
      row('inbound', 'shop/orders', 20, {}),
    ]);
    expect(view.scaling('shop/orders', 4000, 4)).toMatchObject({ wanted: 1, bottleneck: 'downstream' });
  });

  it('is not known of silence, nor of a first heartbeat; callers that find no instance wake it', () => {
    const view = new FleetView();
    const inbound = (seq: number) => [row('inbound', 'shop/payments', seq * 60, {})];
    beat(view, 'payments', 'p-0', 1, inbound(1));
    expect(view.scaling('shop/payments', 1000).wanted).toBeNull();
    beat(view, 'payments', 'p-0', 2, inbound(2));
    beat(view, 'payments', 'p-1', 2, inbound(2));
    expect(view.scaling('shop/payments', 2000, 100)).toMatchObject({ wanted: 2 });
    beat(view, 'payments', 'p-1', 3, inbound(3));
    expect(view.scaling('shop/payments', 3000, 100)).toMatchObject({ wanted: 1 });
    expect(view.scaling('shop/payments', 9000, 100).wanted).toBeNull();
    view.tick(70_000);
    for (const seq of [70, 71])
      beat(view, 'orders', 'o-0', seq, [row('outbound', 'shop/payments', seq, { no_endpoints: seq })]);
    expect(view.scaling('shop/payments', 71_000, 100)).toMatchObject({ wanted: 1, demand: 1 });
  });
});
