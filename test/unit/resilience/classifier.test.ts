/** What a policy can say that answers mean. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Classifier, defaultClassifier } from '../../../sidecar/resilience/classifier.ts';
import { classifyGrpc, classifyHttp, Outcome } from '../../../sidecar/resilience/outcome.ts';

const { success, failure, ignored } = Outcome;

describe('Classifier', () => {
  it('is the table of outcome.ts where the policy names nothing', () => {
    for (let status = 0; status < 700; status++) {
      expect(defaultClassifier.outcomeOf(status, '', '')).toBe(classifyHttp(status));
    }
    for (let code = 0; code < 20; code++) {
      expect(defaultClassifier.outcomeOf(200, String(code), '')).toBe(classifyGrpc(code));
    }
    expect(defaultClassifier.outcomeOf(200, 'x', '')).toBe(failure);
  });

  it('takes what is named, a status before its class, whatever the order', () => {
    const classifier = new Classifier({
      failures: ['404', '4xx', 'NOT_FOUND'],
      successes: ['500', '401', 'UNKNOWN'],
      ignored: ['5xx', 'UNAVAILABLE'],
    });
    const http = [200, 400, 401, 404, 429, 500, 501, 503].map((status) => classifier.outcomeOf(status, '', ''));
    expect(http).toEqual([success, failure, success, failure, failure, success, ignored, ignored]);
    const grpc = ['0', '2', '5', '13', '14', '99'].map((code) => classifier.outcomeOf(200, code, ''));
    expect(grpc).toEqual([success, success, failure, failure, ignored, success]);
  });

  it('ignores a refusal by a sidecar, whatever the policy says', () => {
    const all = ['1xx', '2xx', '3xx', '4xx', '5xx', 'UNAVAILABLE', 'RESOURCE_EXHAUSTED'];
    const classifier = new Classifier({ failures: all, successes: [], ignored: [] });
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 599 }), fc.constantFrom('', '8', '14'), (status, grpcStatus) => {
        for (const reason of ['rate_limit', 'queue_full', 'breaker_open', 'shed']) {
          expect(classifier.outcomeOf(status, grpcStatus, reason)).toBe(ignored);
        }
        // The way to the app failed: that is no refusal.
        expect(classifier.outcomeOf(503, '', 'upstream_connect')).toBe(failure);
      }),
    );
  });
});
