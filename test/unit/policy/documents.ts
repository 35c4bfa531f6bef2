/** Policies for tests: the smallest, the fullest, and the smallest with parts of its spec replaced. */
import type { TrafficPolicy } from '../../../proto/policy/schema.ts';

export const minimalPolicy: TrafficPolicy = {
  apiVersion: 'weir.dev/v1alpha1',
  kind: 'TrafficPolicy',
  metadata: { name: 'payments' },
  spec: { target: { service: 'payments' } },
};

export const fullPolicy: TrafficPolicy = {
  apiVersion: 'weir.dev/v1alpha1',
  kind: 'TrafficPolicy',
  metadata: {
    name: 'payments',
    namespace: 'shop',
    labels: { 'weir.dev/team': 'checkout', tier: '1' },
    generation: 3,
    resourceVersion: '42',
    creationTimestamp: '2026-11-23T12:00:00Z',
  },
  spec: {
    target: { service: 'payments', namespace: 'shop' },
    enforcement: 'shadow',
    inbound: {
      rateLimits: [
        { name: 'total', scope: 'perProxy', rate: '500/s', burst: 100 },
        { name: 'per-client', rate: '50/s', key: { header: 'X-Client-Id' }, keysMax: 5000 },
        { name: 'per-path', rate: '2.5/m', key: { path: {} } },
      ],
      concurrency: { fixed: { limit: 64 } },
      queue: {
        requestsMax: 100,
        bytesMax: '1MiB',
        waitMax: '200ms',
        discipline: 'full',
        priority: true,
        tenantFair: { enabled: true, tenantsMax: 500, weights: [{ name: 'gold', weight: 4 }] },
        codel: { enabled: true, target: '10ms', interval: '100ms' },
        adaptiveLifo: false,
        deadlineMargin: true,
        whenFull: 'lowestPriority',
      },
      deadline: { default: '1s', max: '30s', header: 'X-Timeout-Ms' },
      signals: { rateLimitFields: false, orca: { to: 'everybody' } },
      flowControl: {
        windowMax: '256KiB',
        stallTimeout: '30s',
        requestPace: { bytesPerSecond: '1MiB' },
        responsePace: { bytesPerSecond: '2MiB', messages: '100/s' },
        requestOverflow: { dropNewest: {} },
        responseOverflow: { dropOldest: { messagesMax: 4, bytesMax: '64KiB' } },
      },
    },
    outbound: {
      timeout: '500ms',
      connectTimeout: '1s',
      circuitBreaker: {
        consecutiveFailures: 5,
        failureRatio: { percent: 50, minRequests: 20, window: '2s' },
        openFor: '1s',
        openForMax: '15s',
        halfOpen: { probes: 3 },
        fleet: { enabled: true },
      },
      healthCheck: {
        probe: { http: { path: '/healthz', expectedStatuses: [200, 204], protocol: 'http2' } },
        interval: '5s',
        timeout: '500ms',
        unhealthyAfter: 4,
        healthyAfter: 1,
      },
      perTryTimeout: '200ms',
      retries: {
        attemptsMax: 3,
        retryOn: {
          connectFailure: true,
          refused: true,
          reset: false,
          tryTimeout: true,
          grpcStatuses: ['UNAVAILABLE', 'ABORTED'],
          httpStatuses: [503],
        },
        nonIdempotent: true,
        backoff: { base: '10ms', max: '100ms' },
        budget: { percent: 20, minConcurrent: 5 },
      },
      hedging: { after: '80ms', attemptsMax: 2, nonIdempotent: false },
    },
  },
};

/** The minimal policy with parts of its spec replaced by anything, valid or not. */
export function policyWith(spec: object): unknown {
  return { ...minimalPolicy, spec: { ...minimalPolicy.spec, ...spec } };
}
