/** Compiling a spec to settings, and the policies of a file to specs by target. */
import { describe, expect, it } from 'vitest';
import { withDefaults } from '../../../proto/policy/defaults.ts';
import type { TrafficPolicy } from '../../../proto/policy/schema.ts';
import { compile, passThroughSettings } from '../../../sidecar/policy/compile.ts';
import { policiesByTarget } from '../../../sidecar/policy/policy-file.ts';
import { fullPolicy, minimalPolicy } from './documents.ts';

describe('compile', () => {
  it('turns every unit into a number', () => {
    expect(compile({ ...fullPolicy.spec, enforcement: 'enforce' })).toEqual({
      inbound: {
        shadow: false,
        rateLimits: [
          { name: 'total', key: { kind: 'none' }, ratePerSecond: 500, burst: 100, keysMax: 0 },
          {
            name: 'per-client',
            key: { kind: 'header', header: 'x-client-id' },
            ratePerSecond: 50,
            burst: 50,
            keysMax: 5000,
          },
          { name: 'per-path', key: { kind: 'path' }, ratePerSecond: 2.5 / 60, burst: 1, keysMax: 10_000 },
        ],
        admission: { limit: 64, queue: { requestsMax: 100, bytesMax: 1_048_576, waitMaxMs: 200 } },
        concurrencyLimit: 64,
        deadlineDefaultMs: 1000,
        deadlineMaxMs: 30_000,
        flow: {
          windowBytesMax: 262_144,
          stallTimeoutMs: 30_000,
          requestPace: { bytesPerSecond: 1_048_576, messagesPerSecond: 0 },
          responsePace: { bytesPerSecond: 2_097_152, messagesPerSecond: 100 },
        },
      },
      outbound: {
        shadow: false,
        timeoutMs: 500,
        connectTimeoutMs: 1000,
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
        healthCheck: {
          probe: { kind: 'http', path: '/healthz', statuses: [200, 204], protocol: 'http2' },
          intervalMs: 5000,
          timeoutMs: 500,
          unhealthyAfter: 4,
          healthyAfter: 1,
        },
      },
      routes: [],
    });
  });

  it('gives the same with and without defaults written out', () => {
    for (const { spec } of [minimalPolicy, fullPolicy]) expect(compile(withDefaults(spec))).toEqual(compile(spec));
  });

  it('lets everything pass without a policy and with a disabled one, but not wait for ever for a connection', () => {
    expect(compile(null)).toBe(passThroughSettings);
    expect(compile({ ...fullPolicy.spec, enforcement: 'disabled' })).toBe(passThroughSettings);
    expect(passThroughSettings.outbound.connectTimeoutMs).toBe(1000);
  });

  it('never refuses at the concurrency limit in shadow, and still says what it is', () => {
    const { inbound, outbound } = compile(fullPolicy.spec);
    expect(inbound).toMatchObject({
      shadow: true,
      concurrencyLimit: 64,
      admission: { limit: Number.MAX_SAFE_INTEGER, queue: null },
    });
    expect(outbound.shadow).toBe(true);
  });

  it('has no queue unless the policy names one', () => {
    const spec = { ...minimalPolicy.spec, inbound: { concurrency: { fixed: { limit: 3 } } } };
    expect(compile(spec).inbound.admission).toEqual({ limit: 3, queue: null });
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
