/** An inbound request through the rate limits of its policy: keys, costs, waiting for a turn, what is told of the limits. */
import { describe, expect, it } from 'vitest';
import { TimerWheel } from '../../../proto/kernel/timer-wheel.ts';
import type { PolicySpec, RateLimitSpec } from '../../../proto/policy/schema.ts';
import { Reason } from '../../../proto/reasons.ts';
import { answerFor, withSignal } from '../../../sidecar/exchange/answers.ts';
import { MeshToken } from '../../../sidecar/exchange/mesh-token.ts';
import { type LimitedRequest, RateLimitStep } from '../../../sidecar/exchange/rate-limit-step.ts';
import { TrafficStats } from '../../../sidecar/exchange/traffic-stats.ts';
import type { Turn } from '../../../sidecar/exchange/turn.ts';
import { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import type { RateLimitSignal } from '../../../sidecar/policy/rate-limit-signals.ts';
import { LivePolicy } from '../../../sidecar/policy/swap.ts';

const origin = { epoch: '0', version: 1, hash: '' };

interface Asked {
  readonly path?: string;
  readonly fields?: readonly (readonly [string, string])[];
  readonly identity?: string;
  readonly address?: string;
  readonly deadlineMs?: number;
}

class Request implements LimitedRequest {
  readonly head: HeaderList;
  readonly peerAddress: string;
  readonly peerIdentity: string;
  deadlineMs: number;
  retryAfterMs = 0;
  limitSignal: RateLimitSignal | null = null;
  turn: Turn | null = null;
  decision = Number.NaN;

  readonly traffic: TrafficStats;
  readonly counts = null;

  constructor({ path = '/', fields = [], identity = '', address = '', deadlineMs = 0 }: Asked, traffic: TrafficStats) {
    this.traffic = traffic;
    this.head = HeaderList.of([[':method', 'GET'], [':path', path], ...fields]);
    this.peerAddress = address;
    this.peerIdentity = identity;
    this.deadlineMs = deadlineMs;
  }

  onDecision(decision: number): void {
    this.decision = decision;
  }
}

class World {
  readonly wheel = new TimerWheel(4, 0);
  readonly traffic = new TrafficStats('inbound', 'a/b');
  readonly policy = new LivePolicy('a/b');
  readonly step: RateLimitStep<Request>;
  wentOnAtMs: number[] = [];
  nowMs = 0;

  constructor(rateLimits: RateLimitSpec[], rest: Partial<PolicySpec> = {}, meshToken: MeshToken | null = null) {
    const { wheel } = this;
    this.step = new RateLimitStep<Request>({
      wheel,
      meshToken,
      goOn: (_request, _inbound, nowMs) => {
        this.wentOnAtMs.push(nowMs);
        return 0;
      },
    });
    this.apply(rateLimits, rest);
  }

  apply(rateLimits: RateLimitSpec[], rest: Partial<PolicySpec> = {}): void {
    const inbound = { ...rest.inbound, rateLimits };
    this.policy.apply({ target: { service: 'b' }, ...rest, inbound }, origin, this.nowMs);
  }

  ask(asked: Asked = {}): Request {
    const request = new Request(asked, this.traffic);
    request.decision = this.step.pass(request, this.policy.inbound, 0, this.nowMs);
    return request;
  }

  answers(...asked: Asked[]): number[] {
    return asked.map((one) => this.ask(one).decision);
  }

  pass(ms: number): void {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) {
      this.nowMs += 1;
      this.wheel.advance(this.nowMs);
    }
  }
}

const refused = Reason.rateLimit;
const once = { name: 'once', rate: '1/h' };

describe('RateLimitStep', () => {
  it.each<[string, RateLimitSpec['key'], Asked, Asked]>([
    ['a header', { header: 'X-Id' }, { fields: [['x-id', 'a']] }, { fields: [['x-id', 'b']] }],
    ['identity', { identity: {} }, { identity: 'spiffe://a' }, { identity: 'spiffe://b' }],
    ['address', { address: {} }, { address: '10.0.0.1' }, { address: '10.0.0.2' }],
    ['the path without its query', { path: {} }, { path: '/a?x=1' }, { path: '/b' }],
  ])('tells callers apart by %s', (_, key, one, other) => {
    const world = new World([{ ...once, key: key! }]);
    expect(world.answers(one, one, other, other, {}, {})).toEqual([0, refused, 0, refused, 0, refused]);
  });

  it('charges a constant cost, and says when there is room for it', () => {
    const world = new World([{ name: 'a', rate: '10/s', burst: 10, cost: { constant: 4 } }]);
    const requests = [world.ask(), world.ask(), world.ask()];
    expect(requests.map(({ decision }) => decision)).toEqual([0, 0, refused]);
    expect(requests[2]!.retryAfterMs).toBeCloseTo(200, 6);
  });

  it('believes what trusted callers say their requests cost, up to the maximum, and nobody else', () => {
    const token = new MeshToken('secret', false);
    const limit = { name: 'a', rate: '1/h', burst: 10, cost: { header: { name: 'X-Cost', max: 5, default: 2 } } };
    const says = (cost: string, more: Asked = {}): Asked => ({
      ...more,
      fields: [['x-cost', cost], ...(more.fields ?? [])],
    });
    const spent = (asked: Asked): number => {
      const world = new World([limit], {}, token);
      world.ask(asked);
      return 10 - world.policy.inbound.rateLimits[0]!.remaining(0);
    };
    const identity = 'spiffe://a';
    expect(spent(says('4', { identity }))).toBe(4);
    expect(spent(says('4', { fields: [['weir-mesh-token', 'secret']] }))).toBe(4);
    expect(spent(says('999999999999', { identity }))).toBe(2);
    expect(spent(says('99999', { identity }))).toBe(5);
    for (const nonsense of ['0', ''])
      expect([nonsense, spent(says(nonsense, { identity }))]).toEqual([nonsense, nonsense === '0' ? 1 : 2]);
    for (const nonsense of ['-1', '1.5', 'NaN', '0x10', '1 '])
      expect([nonsense, spent(says(nonsense, { identity }))]).toEqual([nonsense, 2]);
    expect(spent(says('1'))).toBe(2);
    expect(spent(says('1', { fields: [['weir-mesh-token', 'guess!']] }))).toBe(2);
    expect(spent({ identity })).toBe(2);
  });

  it('lets requests of a leaky bucket go on one interval apart, in order, and refuses those beyond waitMax', () => {
    const world = new World([{ name: 'a', rate: '10/s', algorithm: { leakyBucket: { waitMax: '250ms' } } }]);
    const requests = Array.from({ length: 4 }, () => world.ask());
    expect(requests.map(({ decision }) => decision)).toEqual([0, -1, -1, refused]);
    expect(requests[3]!.retryAfterMs).toBeCloseTo(50, 6);
    world.pass(300);
    expect(world.wentOnAtMs).toEqual([100, 200]);
    expect(requests.map(({ turn }) => turn)).toEqual([null, null, null, null]);
    expect(requests.map(({ decision }) => decision)).toEqual([0, 0, 0, refused]);
  });

  it('keeps no more waiting than the line holds, over all keys, and takes others again as they leave', () => {
    const algorithm = { leakyBucket: { waitMax: '1m', requestsMax: 2 } };
    const world = new World([{ name: 'a', rate: '10/s', key: { path: {} }, algorithm }]);
    const [a, b, c] = [{ path: '/a' }, { path: '/b' }, { path: '/c' }];
    expect(world.answers(a, b, a, b, a, b, c)).toEqual([0, 0, -1, -1, refused, refused, 0]);
    world.pass(104);
    expect(world.answers(a, b, c)).toEqual([-1, -1, 0]);
  });

  it('refuses at once who could not be served before its deadline, and gives its turn to the next', () => {
    const world = new World([{ name: 'a', rate: '10/s', algorithm: { leakyBucket: {} } }]);
    expect(world.answers({}, { deadlineMs: 99 }, {}, { deadlineMs: 199 }, { deadlineMs: 201 })).toEqual([
      0,
      refused,
      -1,
      refused,
      -1,
    ]);
  });

  it('leaves the turn of a request that went away unused, and its place in the line to others', () => {
    const algorithm = { leakyBucket: { requestsMax: 1 } };
    const world = new World([{ name: 'a', rate: '10/s', algorithm }]);
    world.ask();
    const gone = world.ask();
    expect(world.ask().decision).toBe(refused);
    world.step.cancel(gone.turn!);
    expect(world.ask().decision).toBe(-1);
    world.pass(300);
    expect(world.wentOnAtMs).toEqual([200]);
    expect(gone.decision).toBe(-1);
  });

  it('asks the next limits when a turn has come, by the policy of the arrival', () => {
    const pace = { name: 'pace', rate: '10/s', algorithm: { leakyBucket: {} } };
    const world = new World([pace, { name: 'two', rate: '1/h', burst: 2 }]);
    const requests = [world.ask(), world.ask(), world.ask()];
    world.apply([]);
    expect(world.ask().decision).toBe(0);
    world.pass(300);
    expect(requests.map(({ decision }) => decision)).toEqual([0, 0, refused]);
    expect(world.wentOnAtMs).toEqual([100]);
  });

  it('refuses nobody in shadow, keeps nobody waiting, and counts what it would have refused', () => {
    const pace = { name: 'pace', rate: '10/s', algorithm: { leakyBucket: { waitMax: '1s', requestsMax: 2 } } };
    const world = new World([pace, once], { enforcement: 'shadow', inbound: { signals: { rateLimitFields: true } } });
    const requests = Array.from({ length: 5 }, () => world.ask());
    expect(requests.map(({ decision, limitSignal }) => [decision, limitSignal])).toEqual(Array(5).fill([0, null]));
    // Two did not fit in the line of `pace`, four were above `once`.
    expect(world.traffic.wouldReject[refused]).toBe(6);
    world.pass(250);
    expect(world.wentOnAtMs).toEqual([]);
    world.ask();
    expect(world.traffic.wouldReject[refused]).toBe(7);
  });
});

describe('RateLimit fields', () => {
  const limits: RateLimitSpec[] = [
    { name: 'total', rate: '500/s', burst: 1000 },
    { name: 'per-minute', rate: '60/m', algorithm: { slidingWindow: {} } },
    { name: 'short', rate: '50/s', algorithm: { fixedWindow: { window: '100ms' } } },
    { name: 'paced', rate: '50/s', algorithm: { leakyBucket: {} } },
  ];
  const policy = '"total";q=1000;w=2, "per-minute";q=60;w=60, "short";q=5, "paced";q=51;w=2';
  const fieldsOf = (head: HeaderList) => [head.get('ratelimit-policy'), head.get('ratelimit')];

  it('stand on refusals, HTTP and gRPC, beside whole seconds and whole milliseconds', () => {
    const world = new World(limits);
    for (let i = 0; i < 5; i++) world.ask();
    const { decision, retryAfterMs, limitSignal } = world.ask();
    expect(decision).toBe(refused);
    const http = answerFor(decision, false, retryAfterMs, limitSignal).head;
    expect(fieldsOf(http)).toEqual([policy, '"short";r=0;t=1']);
    expect([http.status, http.get('retry-after')]).toEqual([429, '1']);
    const grpc = answerFor(decision, true, retryAfterMs, limitSignal).head;
    expect(fieldsOf(grpc)).toEqual([policy, '"short";r=0;t=1']);
    expect([grpc.grpcStatus, grpc.get('grpc-retry-pushback-ms')]).toEqual(['8', '100']);
    expect(answerFor(decision, true, retryAfterMs, limitSignal).head).toBe(grpc);
  });

  it('stand on admitted answers only where the policy says so: the limit with the smallest share left', () => {
    expect(new World(limits).ask().limitSignal).toBeNull();
    const world = new World(limits.slice(0, 2), { inbound: { signals: { rateLimitFields: true } } });
    const first = world.ask();
    expect(first.limitSignal?.limit).toBe('"per-minute";r=59;t=60');
    const answer = HeaderList.of([
      [':status', '200'],
      ['content-type', 'text/plain'],
    ]);
    expect(fieldsOf(withSignal(answer, first.limitSignal!))).toEqual([
      '"total";q=1000;w=2, "per-minute";q=60;w=60',
      '"per-minute";r=59;t=60',
    ]);
    world.nowMs = 30_000;
    for (let i = 0; i < 19; i++) world.ask();
    expect(world.ask().limitSignal?.limit).toBe('"per-minute";r=39;t=30');
  });

  it('leave the word to an app that has limits of its own, and interim answers alone', () => {
    const signal = { policy: '"a";q=1', limit: '"a";r=0;t=1' };
    const own = HeaderList.of([
      [':status', '200'],
      ['ratelimit', '"app";r=5'],
    ]);
    expect(withSignal(own, signal)).toBe(own);
    const interim = HeaderList.of([[':status', '103']]);
    expect(withSignal(interim, signal)).toBe(interim);
  });

  it('are few: counts are rounded down and times up to two digits', () => {
    const signals = { inbound: { signals: { rateLimitFields: true } } };
    const world = new World([{ name: 'a', rate: '100000/s', burst: 100_000 }], signals);
    const texts = new Set(Array.from({ length: 20_000 }, () => world.ask().limitSignal?.limit));
    expect(texts.size).toBe(20);
    expect([...texts].slice(0, 3)).toEqual(['"a";r=99000;t=1', '"a";r=98000;t=1', '"a";r=97000;t=1']);
  });
});
