/** The health of an endpoint by its checks: it changes only by contradictions in a row, and time is as it is told. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { XorShift32 } from '../../../proto/kernel/random.ts';
import { Health, type HealthCheckSettings, type Verdict } from '../../../sidecar/resilience/health.ts';
import { healthRequest, judgeGrpc, judgeHttp, servingStatusOf } from '../../../sidecar/resilience/health-verdict.ts';

const settings: HealthCheckSettings = {
  probe: { kind: 'grpc', service: '' },
  intervalMs: 10_000,
  timeoutMs: 1000,
  unhealthyAfter: 3,
  healthyAfter: 2,
};
const random = new XorShift32(7);

function statesAfter(verdicts: readonly Verdict[]): boolean[] {
  const health = new Health(settings, 0, random);
  return verdicts.map((verdict) => {
    health.begin();
    health.record(verdict, '', settings, 0, random);
    return health.isHealthy;
  });
}

describe('Health', () => {
  it('begins healthy and is asked within a second', () => {
    const health = new Health(settings, 5000, random);
    expect(health.isHealthy).toBe(true);
    expect(health.nextCheckMs).toBeGreaterThanOrEqual(5000);
    expect(health.nextCheckMs).toBeLessThan(6000);
  });

  it('changes after as many bad answers in a row as it is told, and back after as many good ones', () => {
    const [good, bad]: Verdict[] = ['healthy', 'unhealthy'];
    expect(statesAfter([bad!, bad!, good!, bad!, bad!, bad!])).toEqual([true, true, true, true, true, false]);
    const sick: Verdict[] = [bad!, bad!, bad!];
    expect(statesAfter([...sick, good!, bad!, good!, good!]).slice(3)).toEqual([false, false, false, true]);
  });

  it('learns nothing from what says nothing: the row goes on where it was', () => {
    expect(statesAfter(['unhealthy', 'unhealthy', 'unknown', 'unhealthy'])).toEqual([true, true, true, false]);
  });

  it('is asked one check at a time, an interval ± 10 % apart', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const health = new Health(settings, 0, new XorShift32(seed));
        health.begin();
        expect(health.isDue(1e9)).toBe(false);
        health.record('healthy', '', settings, 2000, new XorShift32(seed));
        expect(health.isDue(2000 + 8999)).toBe(false);
        expect(health.isDue(2000 + 11_001)).toBe(true);
      }),
    );
  });

  it('agrees with counting contradictions by hand, for any answers', () => {
    const verdicts = fc.array(fc.constantFrom<Verdict>('healthy', 'unhealthy', 'unknown'), { maxLength: 60 });
    fc.assert(
      fc.property(verdicts, (answers) => {
        let isHealthy = true;
        let row = 0;
        const expected = answers.map((answer) => {
          if (answer !== 'unknown') row = (answer === 'healthy') === isHealthy ? 0 : row + 1;
          if (row === (isHealthy ? 3 : 2)) {
            isHealthy = !isHealthy;
            row = 0;
          }
          return isHealthy;
        });
        expect(statesAfter(answers)).toEqual(expected);
      }),
    );
  });
});

describe('judgeHttp', () => {
  it('takes the expected statuses, or every 2xx', () => {
    expect(judgeHttp(204, [], '').verdict).toBe('healthy');
    expect(judgeHttp(204, [200], '')).toEqual({ verdict: 'unhealthy', detail: 'HTTP 204' });
    expect(judgeHttp(503, [503], '').verdict).toBe('healthy');
    expect(judgeHttp(404, [], '').verdict).toBe('unhealthy');
  });

  it('learns nothing from a refusal by a limit', () => {
    expect(judgeHttp(429, [], '').verdict).toBe('unknown');
    expect(judgeHttp(503, [], 'queue_full')).toEqual({ verdict: 'unknown', detail: 'HTTP 503 queue_full' });
    expect(judgeHttp(503, [], 'upstream_connect').verdict).toBe('unhealthy');
  });
});

describe('judgeGrpc', () => {
  const answer = (hex: string): Buffer => Buffer.from(hex, 'hex');

  it('reads HealthCheckResponse', () => {
    expect(judgeGrpc('0', answer('00000000020801'), '')).toEqual({ verdict: 'healthy', detail: '' });
    expect(judgeGrpc('0', answer('00000000020802'), '')).toEqual({ verdict: 'unhealthy', detail: 'NOT_SERVING' });
    expect(judgeGrpc('0', answer('0000000000'), '')).toEqual({ verdict: 'unhealthy', detail: 'UNKNOWN' });
  });

  it('takes no other message for one, and never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
        const status = servingStatusOf(Buffer.from(bytes));
        expect(Number.isInteger(status) && status >= -1).toBe(true);
      }),
    );
    expect(judgeGrpc('0', Buffer.alloc(0), '').verdict).toBe('unhealthy');
    expect(judgeGrpc('0', answer('01000000020801'), '').verdict).toBe('unhealthy');
    expect(judgeGrpc('0', answer('000000000208ff'), '').verdict).toBe('unhealthy');
  });

  it('tells a server without the health service, and refusals, from sick ones', () => {
    const none = Buffer.alloc(0);
    expect(judgeGrpc('12', none, '')).toEqual({ verdict: 'unknown', detail: 'gRPC status 12' });
    expect(judgeGrpc('8', none, 'rate_limit').verdict).toBe('unknown');
    expect(judgeGrpc('14', none, 'queue_timeout').verdict).toBe('unknown');
    expect(judgeGrpc('14', none, '').verdict).toBe('unhealthy');
    expect(judgeGrpc('5', none, '').verdict).toBe('unhealthy');
    expect(judgeGrpc('', none, '')).toEqual({ verdict: 'unhealthy', detail: 'gRPC status missing' });
  });
});

describe('healthRequest', () => {
  it('is HealthCheckRequest as protobuf writes it', () => {
    expect(healthRequest('').toString('hex')).toBe('0000000000');
    expect(healthRequest('a.B').toString('hex')).toBe('00000000050a03612e42');
    const long = healthRequest('x'.repeat(200));
    expect(long.subarray(0, 8).toString('hex')).toBe('00000000cb0ac801');
    expect(long.length).toBe(208);
  });
});
