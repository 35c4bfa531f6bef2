/** Endpoints of a service: what stays, what goes, what is picked. */
import { describe, expect, it } from 'vitest';
import { XorShift32 } from '../../../proto/kernel/random.ts';
import { Health, type HealthCheckSettings } from '../../../sidecar/resilience/health.ts';
import { Cluster, type EndpointInput, endpointsMax } from '../../../sidecar/routing/cluster.ts';

function input(port: number, more: Partial<EndpointInput> = {}): EndpointInput {
  return { instance: `payments-${port}`, address: `10.0.0.1:${port}`, zone: 'a', draining: false, ...more };
}

function cluster(staticEndpoints: string[] = []): Cluster {
  return new Cluster({ key: 'shop/payments', random: new XorShift32(1), staticEndpoints });
}

describe('Cluster', () => {
  it('knows nobody at first', () => {
    expect(cluster().pick(0)).toBeUndefined();
  });

  it('keeps the object of an endpoint that stays, and answers those that are gone', () => {
    const c = cluster();
    expect(c.updateEndpoints([input(1), input(2)])).toEqual([]);
    const [one, two] = c.endpoints;
    one!.inFlight = 7;
    expect(c.updateEndpoints([input(3), input(1)])).toEqual([two]);
    expect(c.endpoints.map((endpoint) => endpoint.address)).toEqual(['10.0.0.1:3', '10.0.0.1:1']);
    expect(c.endpoints[1]).toBe(one);
    expect(c.updateEndpoints([])).toHaveLength(2);
    expect(c.pick(0)).toBeUndefined();
  });

  it('makes a new object when another instance listens at the same address', () => {
    const c = cluster();
    c.updateEndpoints([input(1)]);
    const [before] = c.endpoints;
    expect(c.updateEndpoints([input(1, { instance: 'payments-new' })])).toEqual([before]);
    expect(c.endpoints[0]!.instance).toBe('payments-new');
  });

  it('does not pick a draining endpoint while others exist, and does when every one is draining', () => {
    const c = cluster();
    c.updateEndpoints([input(1, { draining: true }), input(2), input(3, { draining: true })]);
    for (let i = 0; i < 50; i++) expect(c.pick(0)!.port).toBe(2);
    c.updateEndpoints([input(1, { draining: true })]);
    expect(c.pick(0)!.port).toBe(1);
    c.updateEndpoints([input(1), input(2, { draining: true })]);
    for (let i = 0; i < 50; i++) expect(c.pick(0)!.port).toBe(1);
  });

  it('leaves out the unhealthy while others are healthy, and nobody when every one is unhealthy', () => {
    const c = cluster();
    c.updateEndpoints([input(1), input(2), input(3)]);
    const settings: HealthCheckSettings = {
      probe: { kind: 'grpc', service: '' },
      intervalMs: 1000,
      timeoutMs: 100,
      unhealthyAfter: 1,
      healthyAfter: 1,
    };
    const random = new XorShift32(1);
    const judge = (index: number, verdict: 'healthy' | 'unhealthy'): void => {
      const endpoint = c.endpoints[index]!;
      endpoint.health ??= new Health(settings, 0, random);
      if (endpoint.health.record(verdict, '', settings, 0, random)) c.onHealthChanged();
    };
    const picked = (): number[] => [...new Set(Array.from({ length: 100 }, () => c.pick(0)!.port))].sort();
    judge(0, 'unhealthy');
    expect(picked()).toEqual([2, 3]);
    judge(2, 'unhealthy');
    expect(picked()).toEqual([2]);
    judge(1, 'unhealthy');
    expect(picked()).toEqual([1, 2, 3]);
    judge(0, 'healthy');
    expect(picked()).toEqual([1]);
    // A new list keeps what is known of those that stay.
    c.updateEndpoints([input(1), input(2), input(4)]);
    expect(picked()).toEqual([1, 4]);
  });

  it('lets configured endpoints win over discovered ones', () => {
    const c = cluster(['127.0.0.1:9001', 'unix:/run/app.sock']);
    expect(c.updateEndpoints([input(1)])).toEqual([]);
    expect(c.endpoints.map((endpoint) => endpoint.address)).toEqual(['127.0.0.1:9001', 'unix:/run/app.sock']);
    expect(c.endpoints[1]).toMatchObject({ host: '', port: 0, path: '/run/app.sock' });
  });

  it('leaves out what is no address, and counts an address once', () => {
    const c = cluster();
    c.updateEndpoints([input(1, { address: 'nonsense' }), input(2), input(2)]);
    expect(c.endpoints.map((endpoint) => endpoint.port)).toEqual([2]);
    // The same list again replaces nothing.
    const [kept] = c.endpoints;
    expect(c.updateEndpoints([input(2), input(2)])).toEqual([]);
    expect(c.endpoints[0]).toBe(kept);
  });

  it('is not grown beyond its bound by what discovery sends', () => {
    const c = cluster();
    c.updateEndpoints(Array.from({ length: endpointsMax + 100 }, (_, i) => input(i + 1)));
    expect(c.endpoints).toHaveLength(endpointsMax);
  });
});
