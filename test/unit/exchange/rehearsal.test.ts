/** What a policy would have done with recorded traffic: recording, and the rehearsal with the real policy objects. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePolicyJson } from '../../../proto/policy/parse.ts';
import type { InboundSpec, PolicySpec } from '../../../proto/policy/schema.ts';
import { Reason } from '../../../proto/reasons.ts';
import { type Rehearsed, readRehearsed } from '../../../proto/rehearsal.ts';
import { rehearse } from '../../../sidecar/exchange/rehearsal.ts';
import { TimeHeap } from '../../../sidecar/exchange/time-heap.ts';
import {
  mergeRecorded,
  namesMax,
  noTier,
  type RecordedTraffic,
  TrafficRecording,
} from '../../../sidecar/exchange/traffic-recording.ts';
import { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import { Outcome } from '../../../sidecar/resilience/outcome.ts';

interface Arrival {
  readonly atMs: number;
  readonly serviceMs?: number;
  readonly path?: string;
  readonly tier?: string;
  readonly address?: string;
  readonly reason?: number;
}

function recordAll(arrivals: Iterable<Arrival>, capacity = 100_000): TrafficRecording {
  const recording = new TrafficRecording(capacity);
  for (const { atMs, serviceMs = 1, path = '/a', tier, address = '10.0.0.1', reason = Reason.none } of arrivals) {
    const fields: [string, string][] = [
      [':method', 'GET'],
      [':scheme', 'http'],
      [':path', path],
      [':authority', 'x'],
    ];
    if (tier !== undefined) fields.push(['weir-tier', tier]);
    const request = {
      head: HeaderList.of(fields),
      address: reason === Reason.none ? 'app' : '',
      startedMs: atMs,
      admittedMs: 0,
      peerIdentity: '',
      peerAddress: address,
      isFromMesh: true,
    };
    recording.record(request, reason === Reason.none ? Outcome.success : Outcome.ignored, reason, atMs + serviceMs);
  }
  return recording;
}

const record = (arrivals: Iterable<Arrival>, capacity?: number) => recordAll(arrivals, capacity).snapshot();
const every = (ms: number, count: number, more: Partial<Arrival> = {}): Arrival[] =>
  Array.from({ length: count }, (_, i) => ({ atMs: 5_000 + i * ms, ...more }));

function spec(inbound: InboundSpec, more: Partial<PolicySpec> = {}): PolicySpec {
  const parsed = parsePolicyJson({
    apiVersion: 'weir.dev/v1alpha1',
    kind: 'TrafficPolicy',
    metadata: { name: 'a' },
    spec: { target: { service: 'a' }, inbound, ...more },
  });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return parsed.policy.spec;
}

function wholeOf(policy: PolicySpec, recorded: RecordedTraffic): Rehearsed {
  const steps = rehearse('default/a', policy, recorded);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

describe('a rehearsal', () => {
  it('counts what a rate limit would have rejected, exactly, also of a policy in shadow', () => {
    const limited = { rateLimits: [{ name: 'all', rate: '100/s', burst: 10 }] };
    for (const policy of [spec(limited), spec(limited, { enforcement: 'shadow' })]) {
      const result = wholeOf(policy, record(every(5, 400)));
      expect(result).toMatchObject({ requests: 400, seconds: 1.995, recordedRejected: 0 });
      // 10 at once, and 1.995 s × 100/s.
      expect(result.byReason).toEqual({ rate_limit: 400 - 10 - 199 });
      expect(result.routes).toEqual([{ route: '/a', requests: 400, rejected: result.rejected }]);
    }
    expect(wholeOf(spec(limited, { enforcement: 'disabled' }), record(every(5, 400))).rejected).toBe(0);
  });

  it('counts who would have waited too long for the app, which takes as long as it took', () => {
    const tight = spec({ concurrency: { fixed: { limit: 2 } }, queue: { requestsMax: 4, waitMax: '50ms' } });
    const result = wholeOf(tight, record(every(5, 400, { serviceMs: 20 })));
    // 200/s come, 2 / 20 ms = 100/s go.
    expect(result.rejected).toBeGreaterThan(180);
    expect(result.rejected).toBeLessThan(205);
    expect(Object.keys(result.byReason)).toEqual(['queue_full', 'evicted', 'queue_shed']);
    const roomy = spec({ concurrency: { fixed: { limit: 8 } } });
    expect(wholeOf(roomy, record(every(5, 400, { serviceMs: 20 }))).rejected).toBe(0);
  });

  it('tells tiers, paths and callers apart', () => {
    const arrivals = every(1, 400).map((one, i): Arrival => {
      const isHigh = i % 2 === 0;
      return { ...one, tier: isHigh ? 'high' : 'batch', path: isHigh ? '/high' : '/low', address: `10.0.0.${i % 4}` };
    });
    const perAddress = spec({ rateLimits: [{ name: 'each', rate: '10/s', burst: 10, key: { address: {} } }] });
    const result = wholeOf(perAddress, record(arrivals));
    expect(result.requests - result.rejected).toBe(4 * (10 + 3));
    const tiers = wholeOf(spec({ priorities: {}, concurrency: { fixed: { limit: 1 } } }), record(arrivals));
    expect(Object.keys(tiers.byTier).sort()).toEqual(['batch', 'high']);
    expect(tiers.routes.map(({ route }) => route).sort()).toEqual(['/high', '/low']);
  });

  it('says what it leaves out, and what was rejected at the time', () => {
    const keyed = spec({ rateLimits: [{ name: 'each', rate: '1/h', key: { header: 'x-client' } }] });
    const arrivals = [...every(10, 5), ...every(10, 2, { reason: Reason.rateLimit })];
    const result = wholeOf(keyed, record(arrivals));
    expect(result).toMatchObject({ requests: 7, rejected: 0, recordedByReason: { rate_limit: 2 } });
    expect(result.caveats).toContain('the rate limit each is left out: its key, the header x-client, is not recorded');
    expect(result.caveats.join()).toContain('2 requests were rejected when they were recorded');
  });

  it('comes to an end, and settles everybody, whatever the traffic and whatever the limit', () => {
    const arrival = fc.record({ atMs: fc.nat(2_000), serviceMs: fc.double({ min: 0, max: 500, noNaN: true }) });
    fc.assert(
      fc.property(fc.array(arrival, { maxLength: 60 }), fc.integer({ min: 1, max: 5 }), (arrivals, limit) => {
        const policy = spec({
          concurrency: { fixed: { limit } },
          queue: { waitMax: '100ms' },
          rateLimits: [{ name: 'l', rate: '50/s', algorithm: { leakyBucket: {} } }],
        });
        const result = wholeOf(policy, record(arrivals));
        expect(result.requests).toBe(arrivals.length);
        expect(result.rejected).toBe(Object.values(result.byReason).reduce((sum, count) => sum + count, 0));
      }),
      { numRuns: 50 },
    );
  });
});

describe('a recording', () => {
  it('keeps the last requests, in the order in which they came', () => {
    const recorded = record([{ atMs: 30 }, { atMs: 10 }, { atMs: 20 }, { atMs: 40 }], 3);
    expect([...recorded.startedMs]).toEqual([10, 20, 40]);
    expect(recorded.tier[0]).toBe(noTier);
    expect(new TrafficRecording(5).snapshot().startedMs).toHaveLength(0);
  });

  it('bounds the names it remembers, and begins again once all who filled it are gone', () => {
    const many = Array.from({ length: namesMax + 5 }, (_, i) => ({ atMs: i, path: `/${i}` }));
    const recorded = record(many, 10);
    expect(recorded.names).toHaveLength(namesMax + 1);
    expect(recorded.path[9]).toBe(0);
    const again = record([...many, ...every(1, 30)], 10);
    expect(again.names.length).toBeLessThan(10);
    expect(again.names[again.path.at(-1) ?? 0]).toBe('/a');
  });

  it('of several threads becomes one, by arrival, with names that mean the same', () => {
    const merged = mergeRecorded([
      record([
        { atMs: 1, path: '/a' },
        { atMs: 4, path: '/b' },
      ]),
      record([
        { atMs: 2, path: '/b' },
        { atMs: 3, path: '/c' },
      ]),
    ]);
    expect([...merged.startedMs]).toEqual([1, 2, 3, 4]);
    expect([...merged.path].map((id) => merged.names[id])).toEqual(['/a', '/b', '/c', '/b']);
  });
});

describe('readRehearsed', () => {
  it('believes no more than what a rehearsal says', () => {
    const result = wholeOf(spec({}), record(every(10, 3)));
    expect(readRehearsed(JSON.parse(JSON.stringify(result)))).toEqual(result);
    expect(readRehearsed({ requests: 'many' })).toBeUndefined();
    expect(readRehearsed({ requests: 1, rejected: -5, caveats: [{}], routes: [null] })).toMatchObject({
      rejected: 0,
      caveats: [''],
      routes: [{ route: '', requests: 0 }],
    });
  });
});

describe('TimeHeap', () => {
  it('gives back everything, earliest first', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(100)), (times) => {
        const heap = new TimeHeap<number>();
        for (const time of times) heap.push(time, time);
        const popped = times.map(() => heap.pop());
        expect(popped).toEqual([...times].sort((a, b) => a - b));
        expect([heap.pop(), heap.nextAtMs]).toEqual([undefined, Number.POSITIVE_INFINITY]);
      }),
    );
  });
});
