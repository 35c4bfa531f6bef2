/** Load balancing, outlier detection and classification of a policy: defaults, what they compile to, what is refused. */
import { describe, expect, it } from 'vitest';
import { withDefaults } from '../../../proto/policy/defaults.ts';
import { parsePolicyDocument } from '../../../proto/policy/parse.ts';
import type { OutboundSpec, PolicySpec } from '../../../proto/policy/schema.ts';
import { compile } from '../../../sidecar/policy/compile.ts';
import { Outcome } from '../../../sidecar/resilience/outcome.ts';
import { defaultEndpointSettings } from '../../../sidecar/routing/endpoint-settings.ts';
import { policyWith } from './documents.ts';

const spec = (outbound: OutboundSpec): PolicySpec => ({ target: { service: 'payments' }, outbound });
const settingsOf = (outbound: OutboundSpec) => compile(spec(outbound)).outbound.endpoints;

function errorsOf(fields: object): string[] {
  const result = parsePolicyDocument(policyWith(fields));
  return result.ok ? [] : result.errors.map(({ pointer, message }) => `${pointer}: ${message}`);
}

describe('endpoints', () => {
  it('are what they are without a policy while nothing is said of them', () => {
    expect(settingsOf({ timeout: '1s' })).toBe(defaultEndpointSettings);
  });

  it('are compiled with all defaults, the same with and without them written out', () => {
    const outbound: OutboundSpec = { loadBalancing: { algorithm: { prequal: {} } }, outlierDetection: {} };
    expect(settingsOf(outbound)).toEqual({
      balancer: { kind: 'prequal', poolMax: 16, hotQuantile: 0.84, maxAgeMs: 1000 },
      slowStart: { windowMs: 10_000, aggression: 1 },
      outliers: {
        consecutiveFailures: 5,
        successRate: { stdevFactor: 1.9, minHosts: 5, minRequests: 100 },
        latency: null,
        intervalMs: 10_000,
        baseEjectionMs: 30_000,
        maxEjectionMs: 300_000,
        maxEjectedPercent: 50,
        shadow: false,
      },
      breaker: null,
      shadow: false,
    });
    expect(compile(withDefaults(spec(outbound)))).toEqual(compile(spec(outbound)));
    const kinds = [{ roundRobin: {} }, { leastRequest: {} }, { p2cPeakEwma: {} }, { orcaWeighted: {} }].map(
      (algorithm) => settingsOf({ loadBalancing: { algorithm } }).balancer,
    );
    expect(kinds).toEqual([
      { kind: 'roundRobin' },
      { kind: 'leastRequest' },
      { kind: 'p2cPeakEwma' },
      { kind: 'orcaWeighted', blackoutMs: 10_000, expiryMs: 180_000, errorPenalty: 1 },
    ]);
  });

  it('are ejected only on the conditions that are named, when any is', () => {
    expect(settingsOf({ outlierDetection: { latency: {} } }).outliers).toMatchObject({
      consecutiveFailures: 0,
      successRate: null,
      latency: { factor: 3, minHosts: 3, minRequests: 20 },
    });
  });

  it('keep their default balancer in shadow, where nobody is left out', () => {
    const shadowed = compile({
      ...spec({ loadBalancing: { algorithm: { roundRobin: {} } }, outlierDetection: {} }),
      enforcement: 'shadow',
    });
    expect(shadowed.outbound.endpoints).toMatchObject({ balancer: { kind: 'p2cPeakEwma' }, shadow: true });
    expect(shadowed.outbound.endpoints.outliers?.shadow).toBe(true);
    expect(shadowed.outbound.endpoints.slowStart.windowMs).toBe(0);
  });

  it('have the breaker instead of the service with scope perEndpoint, and the fleet no say in it', () => {
    const { outbound } = compile(spec({ circuitBreaker: { scope: 'perEndpoint', consecutiveFailures: 3 } }));
    expect(outbound).toMatchObject({
      breaker: null,
      fleetBreaker: false,
      endpoints: { breaker: { consecutiveFailures: 3 } },
    });
    const at = '/spec/outbound/circuitBreaker';
    expect(errorsOf({ outbound: { circuitBreaker: { scope: 'perEndpoint', fleet: { enabled: true } } } })).toEqual([
      `${at}/fleet/enabled: the verdict of the fleet is about the service, and not about single endpoints`,
    ]);
    const route = { name: 'a', match: { method: 'GET' }, outbound: { circuitBreaker: { scope: 'perEndpoint' } } };
    expect(errorsOf({ routes: [route] })).toEqual([
      '/spec/routes/0/outbound/circuitBreaker/scope: a route has one breaker of its own: breakers of endpoints belong to the service',
    ]);
  });
});

describe('classification', () => {
  it('is one for both sides and for routes that have none of their own', () => {
    const { inbound, outbound, routes } = compile({
      ...spec({ classification: { failures: ['404', 'NOT_FOUND'], ignored: ['5xx'] } }),
      routes: [
        { name: 'plain', match: { method: 'GET' } },
        { name: 'other', match: { method: 'PUT' }, outbound: { classification: { successes: ['503'] } } },
      ],
    });
    expect(inbound.classifier).toBe(outbound.classifier);
    const outcomes = [outbound, ...routes.map((route) => route.outbound)].map(({ classifier }) => [
      classifier.outcomeOf(404, '', ''),
      classifier.outcomeOf(503, '', ''),
      classifier.outcomeOf(200, '5', ''),
    ]);
    const { success, failure, ignored } = Outcome;
    expect(outcomes).toEqual([
      [failure, ignored, failure],
      [failure, ignored, failure],
      [success, success, success],
    ]);
  });

  it('refuses a status that is said to be two things, and words that are none', () => {
    expect(errorsOf({ outbound: { classification: { failures: ['404'], ignored: ['404'] } } })).toEqual([
      '/spec/outbound/classification/ignored/0: "404" stands in failures already',
    ]);
    expect(errorsOf({ outbound: { classification: { failures: ['6xx'] } } })).toHaveLength(1);
  });
});
