/** Compiling a spec to settings, and the policies of a file to specs by target. */
import { describe, expect, it } from 'vitest';
import { withDefaults } from '../../../proto/policy/defaults.ts';
import type { QueueSpec, RateLimitSpec, TrafficPolicy } from '../../../proto/policy/schema.ts';
import { fifo, full } from '../../../sidecar/admission/queue-settings.ts';
import { compile, passThroughSettings } from '../../../sidecar/policy/compile.ts';
import { LoadTo } from '../../../sidecar/policy/compiled.ts';
import { policiesByTarget } from '../../../sidecar/policy/policy-file.ts';
import { defaultClassifier } from '../../../sidecar/resilience/classifier.ts';
import { defaultEndpointSettings } from '../../../sidecar/routing/endpoint-settings.ts';
import { fullPolicy, minimalPolicy } from './documents.ts';

describe('compile', () => {
  it('turns every unit into a number', () => {
    const plain = { waitingMax: 0, cost: { usual: 1, header: '', max: 1 } };
    expect(compile({ ...fullPolicy.spec, enforcement: 'enforce' })).toEqual({
      inbound: {
        shadow: false,
        rateLimits: [
          {
            name: 'total',
            key: { kind: 'none' },
            meter: { kind: 'tokenBucket', ratePerSecond: 500, burst: 100 },
            fleet: null,
            keysMax: 0,
            ...plain,
          },
          {
            name: 'per-client',
            key: { kind: 'header', header: 'x-client-id' },
            meter: { kind: 'tokenBucket', ratePerSecond: 50, burst: 50 },
            fleet: null,
            keysMax: 5000,
            ...plain,
          },
          {
            name: 'per-path',
            key: { kind: 'path' },
            meter: { kind: 'tokenBucket', ratePerSecond: 2.5 / 60, burst: 1 },
            fleet: null,
            keysMax: 10_000,
            ...plain,
          },
        ],
        signalsAdmitted: false,
        loadTo: LoadTo.everybody,
        admission: {
          limit: 64,
          abandonAfterMs: 1000,
          streamsMax: 1000,
          queue: {
            requestsMax: 100,
            bytesMax: 1_048_576,
            waitMaxMs: 200,
            priority: true,
            tenantsMax: 500,
            tenantWeights: { gold: 4 },
            intervalMs: 100,
            targetMs: 10,
            adaptiveLifo: false,
            byUserLevel: false,
            deadlineMargin: true,
            whenFull: 'lowestPriority',
          },
          shadow: false,
        },
        concurrencyLimit: 64,
        deadline: { shadow: false, defaultMs: 1000, maxMs: 30_000, timeoutHeader: 'x-timeout-ms' },
        flow: {
          shadow: false,
          windowBytesMax: 262_144,
          stallTimeoutMs: 30_000,
          requestPace: { bytesPerSecond: 1_048_576, messagesPerSecond: 0 },
          responsePace: { bytesPerSecond: 2_097_152, messagesPerSecond: 100 },
          requestOverflow: { dropsOldest: false, messagesMax: 16, bytesMax: 4_194_304 },
          responseOverflow: { dropsOldest: true, messagesMax: 4, bytesMax: 65_536 },
        },
        classifier: defaultClassifier,
        priorities: null,
        levels: null,
      },
      outbound: {
        shadow: false,
        deadline: { shadow: false, defaultMs: 500, maxMs: 500, timeoutHeader: '' },
        connectTimeoutMs: 1000,
        shadowConnectTimeoutMs: 0,
        breaker: {
          consecutiveFailures: 5,
          failureRatio: { percent: 50, minRequests: 20, windowMs: 2000, windowRequests: 0 },
          slowCalls: null,
          openForMs: 1000,
          openForMaxMs: 15_000,
          probes: 3,
          probeTimeoutMs: 500,
        },
        fleetBreaker: true,
        flow: null,
        healthCheck: {
          probe: { kind: 'http', path: '/healthz', statuses: [200, 204], protocol: 'http2' },
          intervalMs: 5000,
          timeoutMs: 500,
          unhealthyAfter: 4,
          healthyAfter: 1,
        },
        retries: {
          attemptsMax: 3,
          rules: {
            onConnectFailure: true,
            onRefused: true,
            onReset: false,
            onTryTimeout: true,
            grpcStatuses: (1 << 14) | (1 << 10),
            httpStatuses: [503],
            nonIdempotent: true,
            backoffBaseMs: 10,
            backoffMaxMs: 100,
          },
          hedging: { afterMs: 80, attemptsMax: 2, nonIdempotent: false },
          budget: { percent: 20, minConcurrent: 5 },
          perTryTimeoutMs: 200,
          shadow: false,
        },
        classifier: defaultClassifier,
        endpoints: defaultEndpointSettings,
        fallback: null,
        parking: null,
        throttle: null,
        toldLevels: false,
        priorities: null,
      },
      routes: [],
    });
  });

  it('gives each algorithm its meter, and costs their bounds', () => {
    const limitOf = (limit: Omit<RateLimitSpec, 'name'>) =>
      compile({ target: { service: 'a' }, inbound: { rateLimits: [{ name: 'a', ...limit }] } }).inbound.rateLimits[0];
    expect(limitOf({ rate: '100/m', algorithm: { fixedWindow: {} } })?.meter).toEqual({
      kind: 'fixedWindow',
      limit: 100,
      windowMs: 60_000,
    });
    expect(limitOf({ rate: '2.5/s', algorithm: { slidingWindow: { window: '10s' } } })?.meter).toEqual({
      kind: 'slidingWindow',
      limit: 25,
      windowMs: 10_000,
    });
    expect(limitOf({ rate: '20/s', key: { identity: {} }, algorithm: { leakyBucket: {} } })).toMatchObject({
      key: { kind: 'identity' },
      meter: { kind: 'leakyBucket', ratePerSecond: 20, waitMaxMs: 1000 },
      waitingMax: 100,
    });
    expect(limitOf({ rate: '20/s', cost: { header: { name: 'X-Cost', max: 9 } } })?.cost).toEqual({
      usual: 1,
      header: 'x-cost',
      max: 9,
    });
    expect(limitOf({ rate: '20/s', cost: { constant: 3 } })?.cost).toEqual({ usual: 3, header: '', max: 3 });
  });

  it('gives the same with and without defaults written out', () => {
    for (const { spec } of [minimalPolicy, fullPolicy]) expect(compile(withDefaults(spec))).toEqual(compile(spec));
  });

  it('lets everything pass without a policy and with a disabled one, but not wait for ever for a connection', () => {
    expect(compile(null)).toBe(passThroughSettings);
    expect(compile({ ...fullPolicy.spec, enforcement: 'disabled' })).toBe(passThroughSettings);
    expect(passThroughSettings.outbound.connectTimeoutMs).toBe(1000);
  });

  it('decides in shadow by the same limit and queue', () => {
    const { inbound, outbound } = compile(fullPolicy.spec);
    expect(inbound).toMatchObject({
      shadow: true,
      concurrencyLimit: 64,
      admission: { limit: 64, queue: { requestsMax: 100 }, shadow: true },
    });
    expect(outbound.shadow).toBe(true);
  });

  it('has the full discipline before a limit unless the policy names another, or none', () => {
    const queueOf = (queue?: QueueSpec) =>
      compile({ ...minimalPolicy.spec, inbound: { concurrency: { fixed: { limit: 3 } }, ...(queue && { queue }) } })
        .inbound.admission?.queue;
    const bounds = { requestsMax: 100, bytesMax: 1_048_576, waitMaxMs: 200 };
    expect(queueOf()).toEqual({ ...full, ...bounds });
    expect(queueOf({ discipline: 'full', codel: { enabled: false } })).toEqual({ ...full, ...bounds, targetMs: 0 });
    expect(queueOf({ discipline: 'fifo' })).toEqual({ ...fifo, ...bounds });
    expect(queueOf({ discipline: 'fifo', tenantFair: {}, whenFull: 'oldest' })).toEqual({
      ...fifo,
      ...bounds,
      tenantsMax: 1000,
      whenFull: 'oldest',
    });
    expect(queueOf({ discipline: 'none' })).toBe(null);
  });

  it('gives up probes after 10 s when requests have no timeout', () => {
    const spec = { ...minimalPolicy.spec, outbound: { circuitBreaker: { consecutiveFailures: 2 } } };
    expect(compile(spec).outbound.breaker).toMatchObject({
      consecutiveFailures: 2,
      failureRatio: null,
      probeTimeoutMs: 10_000,
    });
  });
});

describe('policiesByTarget', () => {
  const named = (name: string, service: string, namespace?: string): TrafficPolicy => ({
    ...minimalPolicy,
    metadata: { name, ...(namespace && { namespace }) },
    spec: { target: { service }, outbound: { timeout: `${name.length}s` } },
  });

  it('gives each target its spec and says which documents have no effect', () => {
    const policies = [named('later', 'payments'), named('first', 'payments'), named('only', 'payments', 'shop')];
    const { specs, overridden } = policiesByTarget(policies);
    expect([...specs.keys()].sort()).toEqual(['default/payments', 'shop/payments']);
    expect(specs.get('default/payments')).toBe(policies[1]!.spec);
    expect(overridden).toEqual(['default/later has no effect: default/first is about default/payments too']);
  });
});
