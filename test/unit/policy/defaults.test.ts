/** Defaults: everything is filled in, nothing written is changed, and a default never contradicts what was written. */
import fc from 'fast-check';
import { Settings } from 'typebox/system';
import { Errors } from 'typebox/value';
import { describe, expect, it } from 'vitest';
import { withDefaults } from '../../../proto/policy/defaults.ts';
import { parsePolicyDocument } from '../../../proto/policy/parse.ts';
import {
  type CircuitBreakerSpec,
  type HealthCheckSpec,
  PolicySpec,
  type QueueSpec,
  type RateLimitSpec,
} from '../../../proto/policy/schema.ts';
import { fullPolicy, minimalPolicy, policyWith } from './documents.ts';

const breakerOf = (breaker: CircuitBreakerSpec) =>
  withDefaults({ target: { service: 'a' }, outbound: { circuitBreaker: breaker } }).outbound.circuitBreaker;

describe('withDefaults', () => {
  const throttle = {
    enabled: true,
    acceptsMultiplier: 2,
    window: '10s',
    requestsPerSecondMin: 5,
    refusedPercentMax: 90,
  };

  it('fills in everything that can be left out', () => {
    expect(withDefaults(minimalPolicy.spec)).toEqual({
      target: { service: 'payments' },
      enforcement: 'enforce',
      inbound: { rateLimits: [] },
      outbound: { connectTimeout: '1s', throttle: { ...throttle, enabled: false } },
    });
    expect(withDefaults({ target: { service: 'a' }, outbound: { throttle: {} } }).outbound.throttle).toEqual(throttle);
    const sparse = withDefaults({
      target: { service: 'a' },
      inbound: {
        rateLimits: [
          { name: 'fast', rate: '500/s' },
          { name: 'slow', rate: '1/h', key: { path: {} } },
        ],
        concurrency: { fixed: { limit: 1 } },
        queue: {},
      },
    });
    const plain = { algorithm: { tokenBucket: {} }, cost: { constant: 1 } };
    expect(sparse.inbound).toEqual({
      rateLimits: [
        { name: 'fast', scope: 'perProxy', rate: '500/s', burst: 500, ...plain },
        { name: 'slow', scope: 'perProxy', rate: '1/h', burst: 1, key: { path: {} }, keysMax: 10_000, ...plain },
      ],
      concurrency: { fixed: { limit: 1, abandonAfter: '1s', streamsMax: 1000 } },
      queue: {
        requestsMax: 100,
        bytesMax: '1MiB',
        waitMax: '200ms',
        discipline: 'full',
        priority: true,
        tenantFair: { enabled: true, tenantsMax: 1000, weights: [] },
        codel: { enabled: true, target: '5ms', interval: '100ms' },
        adaptiveLifo: true,
        deadlineMargin: true,
        whenFull: 'lowestPriority',
      },
    });
  });

  it('counts windows by the unit of the rate, lets a few wait for a second, and never contradicts a cost', () => {
    const limitOf = (limit: Omit<RateLimitSpec, 'name'>) =>
      withDefaults({ target: { service: 'a' }, inbound: { rateLimits: [{ name: 'a', ...limit }] } }).inbound
        .rateLimits[0];
    const scope = 'perProxy';
    expect(limitOf({ rate: '100/m', algorithm: { fixedWindow: {} } })).toEqual({
      name: 'a',
      scope,
      rate: '100/m',
      algorithm: { fixedWindow: { window: '1m' } },
      cost: { constant: 1 },
    });
    expect(limitOf({ rate: '9/h', algorithm: { slidingWindow: {} } })?.algorithm).toEqual({
      slidingWindow: { window: '1h' },
    });
    expect(limitOf({ rate: '9/h', algorithm: { leakyBucket: { waitMax: '2s' } } })?.algorithm).toEqual({
      leakyBucket: { waitMax: '2s', requestsMax: 100 },
    });
    const cost = { header: { name: 'x-cost', max: 40 } };
    expect(limitOf({ rate: '10/s', cost })).toMatchObject({
      burst: 40,
      cost: { header: { ...cost.header, default: 1 } },
    });
    expect(limitOf({ rate: '10/s', cost: { constant: 20 } })).toMatchObject({ burst: 20 });
  });

  it('arms a breaker that names no condition with both, and one that names any with those alone', () => {
    expect(breakerOf({})).toEqual({
      scope: 'perService',
      consecutiveFailures: 5,
      failureRatio: { percent: 50, minRequests: 20, window: '2s' },
      openFor: '1s',
      openForMax: '2s',
      halfOpen: { probes: 3 },
      fleet: { enabled: true },
    });
    expect(breakerOf({ consecutiveFailures: 9 })?.failureRatio).toBeUndefined();
    expect(breakerOf({ failureRatio: { percent: 20 } })).toMatchObject({
      failureRatio: { percent: 20, minRequests: 20, window: '2s' },
    });
    expect(breakerOf({ failureRatio: {} })?.consecutiveFailures).toBeUndefined();
  });

  it('lets the missing one of openFor and openForMax give way to the written one', () => {
    expect(breakerOf({ openFor: '1m' })).toMatchObject({ openFor: '1m', openForMax: '1m' });
    expect(breakerOf({ openForMax: '200ms' })).toMatchObject({ openFor: '200ms', openForMax: '200ms' });
  });

  it('asks in HTTP/1.1 and keeps the timeout of a check within its interval', () => {
    const checkOf = (check: HealthCheckSpec) =>
      withDefaults({ target: { service: 'a' }, outbound: { healthCheck: check } }).outbound.healthCheck;
    const probe = { grpc: {} };
    expect(checkOf({ probe })).toEqual({ probe, interval: '10s', timeout: '1s', unhealthyAfter: 3, healthyAfter: 2 });
    expect(checkOf({ probe, interval: '500ms' })).toMatchObject({ interval: '500ms', timeout: '500ms' });
    expect(checkOf({ probe, timeout: '20s' })).toMatchObject({ interval: '20s', timeout: '20s' });
    expect(checkOf({ probe: { http: { path: '/' } } })?.probe).toEqual({ http: { path: '/', protocol: 'http1' } });
  });

  it('has the defaults that the schema states', () => {
    const stated = JSON.parse(JSON.stringify(PolicySpec));
    const { queue, rateLimits } = stated.properties.inbound.properties;
    const { connectTimeout, circuitBreaker, healthCheck } = stated.properties.outbound.properties;
    const given = withDefaults({
      target: { service: 'a' },
      inbound: {
        rateLimits: [{ name: 'a', rate: '1/s', key: { path: {} } }],
        concurrency: { fixed: { limit: 1 } },
        queue: {},
      },
      outbound: { circuitBreaker: {}, healthCheck: { probe: { grpc: {} } } },
    });
    const defaultsOf = (properties: Record<string, { default?: unknown }>) =>
      Object.fromEntries(
        Object.entries(properties).flatMap(([name, field]) =>
          field.default === undefined ? [] : [[name, field.default]],
        ),
      );
    const { tenantFair, codel } = queue.properties;
    expect(given.inbound.queue).toEqual({
      ...defaultsOf(queue.properties),
      tenantFair: { ...defaultsOf(tenantFair.properties), weights: [] },
      codel: defaultsOf(codel.properties),
    });
    expect(given.inbound.rateLimits[0]).toMatchObject(defaultsOf(rateLimits.items.properties));
    expect(given.outbound.connectTimeout).toBe(connectTimeout.default);
    expect(given.outbound.healthCheck).toMatchObject(defaultsOf(healthCheck.properties));
    const breaker = given.outbound.circuitBreaker;
    expect(breaker).toMatchObject(defaultsOf(circuitBreaker.properties));
    expect(breaker?.failureRatio).toEqual(defaultsOf(circuitBreaker.properties.failureRatio.properties));
    expect(breaker?.halfOpen).toEqual(defaultsOf(circuitBreaker.properties.halfOpen.properties));
    expect(breaker?.fleet).toEqual(defaultsOf(circuitBreaker.properties.fleet.properties));
    expect(given.enforcement).toBe(stated.properties.enforcement.default);
  });

  it('is valid and stays the same when applied again, for every combination of what is written', () => {
    const part = <T>(value: T) => fc.option(fc.constant(value), { nil: undefined });
    const { inbound, outbound } = fullPolicy.spec;
    const queues: (QueueSpec | undefined)[] = [
      undefined,
      {},
      { discipline: 'none' },
      { discipline: 'fifo', codel: {} },
    ];
    const specs = fc.record(
      {
        enforcement: part('shadow' as const),
        inbound: fc.record(
          {
            rateLimits: part(inbound?.rateLimits),
            concurrency: fc.constant(inbound?.concurrency),
            queue: fc.constantFrom(...queues),
          },
          { requiredKeys: ['concurrency'] },
        ),
        outbound: fc.record(
          {
            timeout: part(outbound?.timeout),
            circuitBreaker: fc.record({ openFor: part('40s'), openForMax: part('50s') }),
            healthCheck: fc.record({
              probe: fc.constantFrom({ grpc: {} }, { http: { path: '/' } }),
              timeout: part('40s'),
              interval: part('50s'),
            }),
          },
          { requiredKeys: [] },
        ),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(specs, (fields) => {
        const written = parsePolicyDocument(JSON.parse(JSON.stringify(policyWith(fields))));
        if (!written.ok) throw new Error(JSON.stringify(written.errors));
        const effective = withDefaults(written.policies[0]!.spec);
        expect(parsePolicyDocument(policyWith(effective))).toMatchObject({ ok: true });
        expect(withDefaults(effective)).toEqual(effective);
        expect(Errors(PolicySpec, effective)).toEqual([]);
      }),
    );
    expect(Settings.Get().maxErrors).toBe(8);
  });
});
