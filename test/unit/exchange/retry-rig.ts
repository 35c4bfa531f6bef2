/**
 * An exchange of the outbound side between streams that a test plays: it sends requests, sees every attempt, answers it
 * or lets it fail, and moves time by hand.
 */
import { XorShift32 } from '../../../proto/kernel/random.ts';
import { TimerWheel } from '../../../proto/kernel/timer-wheel.ts';
import type { InboundSpec, OutboundSpec, PolicySpec } from '../../../proto/policy/schema.ts';
import { Reason } from '../../../proto/reasons.ts';
import { SelfShedder } from '../../../sidecar/admission/self-shedder.ts';
import type { ExchangeContext } from '../../../sidecar/exchange/context.ts';
import { ContextTable } from '../../../sidecar/exchange/context-table.ts';
import { Gate } from '../../../sidecar/exchange/gate.ts';
import {
  type HttpStream,
  Protocol,
  type Upstreams,
  type UpstreamWaiter,
} from '../../../sidecar/exchange/http-stream.ts';
import { OutboundSide } from '../../../sidecar/exchange/outbound.ts';
import { beginExchange } from '../../../sidecar/exchange/recycling.ts';
import { RequestPriority } from '../../../sidecar/exchange/request-priority.ts';
import { type Target, Targets } from '../../../sidecar/exchange/targets.ts';
import { TrafficStats } from '../../../sidecar/exchange/traffic-stats.ts';
import { FlowBudget } from '../../../sidecar/http2/flow-budget.ts';
import { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import type { CreditSource, StreamHandler } from '../../../sidecar/http2/stream.ts';
import { LivePolicy } from '../../../sidecar/policy/swap.ts';
import { HedgeResult, RetryResult } from '../../../sidecar/resilience/retry-results.ts';
import { AuthorityMap } from '../../../sidecar/routing/authority.ts';
import { Cluster } from '../../../sidecar/routing/cluster.ts';
import { FakeParker } from './fake-parker.ts';

export class FakeStream implements HttpStream {
  handler: StreamHandler | null = null;
  source: CreditSource | null = null;
  isClosed = false;
  remoteClosed = false;
  heads: HeaderList[] = [];
  content = '';
  ended = false;
  trailers: HeaderList | null = null;
  resetCode = -1;

  get status(): number {
    return this.heads.at(-1)?.status ?? 0;
  }

  sendHeaders(list: HeaderList, endStream: boolean): void {
    this.heads.push(list);
    if (endStream) this.ended = true;
  }

  sendData(buf: Buffer, start: number, end: number, endStream: boolean): void {
    this.content += buf.toString('latin1', start, end);
    if (endStream) this.ended = true;
  }

  sendTrailers(list: HeaderList): void {
    this.trailers = list;
    this.ended = true;
  }

  reset(code: number): void {
    this.resetCode = code;
    this.isClosed = true;
  }

  credit(): void {}
}

/** What the upstream sees of one attempt. */
export class SeenAttempt extends FakeStream {
  /** The head of its answer is out. */
  isAnswered = false;
  leftBehind = null;
  readonly address: string;
  readonly head: HeaderList;

  constructor(address: string, head: HeaderList, handler: StreamHandler) {
    super();
    this.address = address;
    this.head = head;
    this.handler = handler;
  }

  get isCancelled(): boolean {
    return this.resetCode >= 0;
  }

  answer(status: number, fields: readonly (readonly [string, string])[] = []): void {
    this.handler?.onHeaders(HeaderList.of([[':status', String(status)], ...fields]), true);
  }

  grpc(code: number, fields: readonly (readonly [string, string])[] = []): void {
    this.answer(200, [['content-type', 'application/grpc'], ['grpc-status', String(code)], ...fields]);
  }

  fail(code: number, cause: number): void {
    this.isClosed = true;
    this.handler?.onReset(code, cause);
  }
}

const addresses = ['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80'];

/** What an exchange finds around itself, its connections as the test makes them. */
export function contextOf(
  { clock, wheel, random }: Pick<ExchangeContext, 'clock' | 'wheel' | 'random'>,
  upstreams: Upstreams,
): ExchangeContext {
  return { budget: new FlowBudget(), clock, wheel, random, observer: { onSettled() {} }, upstreams };
}

export class RetryRig {
  readonly clock = { nowMs: 1000 };
  readonly wheel = new TimerWheel(4, 1000);
  readonly attempts: SeenAttempt[] = [];
  readonly traffic = new TrafficStats('outbound', 'default/b');
  readonly policy = new LivePolicy('default/b');
  readonly cluster = new Cluster({ key: 'default/b', random: new XorShift32(3), staticEndpoints: addresses });
  /** Dials that fail, by address; every one with '*'. */
  readonly unreachable = new Set<string>();
  dials: string[] = [];
  readonly parker = new FakeParker();
  readonly table = new ContextTable(1);
  private readonly side: OutboundSide;
  readonly random = new XorShift32(5);

  /** `inbound`: of the target, which its callers obey in part. */
  constructor(
    outbound: OutboundSpec,
    enforcement: NonNullable<PolicySpec['enforcement']> = 'enforce',
    inbound: InboundSpec = {},
  ) {
    this.apply(outbound, enforcement, inbound);
    const target: Target = {
      key: 'default/b',
      policy: this.policy,
      cluster: this.cluster,
      traffic: this.traffic,
      onFailure: null,
      onProbe: null,
    };
    this.side = new OutboundSide({
      clock: this.clock,
      gate: new Gate(new SelfShedder({ lagMsMax: 0, heapShareMax: 0 })),
      targets: new Targets(new AuthorityMap({ namespace: 'default' }), () => target),
      unrouted: new TrafficStats('outbound', 'unknown'),
      fixedTarget: 'default/b',
      upstreamProtocol: () => Protocol.http2,
      meshToken: null,
      tells: false,
      own: new LivePolicy('default/a'),
      priority: new RequestPriority({ table: this.table, random: this.random, wallOriginMs: 0 }),
      random: this.random,
      parker: this.parker,
    });
  }

  apply(
    outbound: OutboundSpec,
    enforcement: NonNullable<PolicySpec['enforcement']> = 'enforce',
    inbound: InboundSpec = {},
  ): void {
    const origin = { epoch: '', version: 1, hash: '' };
    this.policy.apply({ target: { service: 'b' }, enforcement, outbound, inbound }, origin, this.clock.nowMs);
  }

  /** Sends a request; answers the caller's stream. */
  send(fields: readonly (readonly [string, string])[], content: string | null = null, isEnd = true): FakeStream {
    const down = new FakeStream();
    const context = contextOf(this, {
      connect: (address, _protocol, _timeoutMs, waiter) => this.connect(address, waiter),
      cancel() {},
    });
    const head = HeaderList.of([[':scheme', 'http'], [':authority', 'b'], ...fields]);
    const peer = { address: '127.0.0.1', identity: '' };
    beginExchange(context, this.side, down, head, content === null, Protocol.http2, peer);
    if (content !== null) this.more(down, content, isEnd);
    return down;
  }

  get(fields: readonly (readonly [string, string])[] = []): FakeStream {
    return this.send([[':method', 'GET'], [':path', '/'], ...fields]);
  }

  post(content: string, isEnd = true): FakeStream {
    return this.send(
      [
        [':method', 'POST'],
        [':path', '/'],
      ],
      content,
      isEnd,
    );
  }

  call(fields: readonly (readonly [string, string])[] = []): FakeStream {
    const own = [
      [':method', 'POST'],
      [':path', '/echo.Echo/Say'],
      ['content-type', 'application/grpc'],
      ['te', 'trailers'],
    ] as const;
    return this.send([...own, ...fields], 'message');
  }

  more(down: FakeStream, content: string, isEnd: boolean): void {
    const bytes = Buffer.from(content, 'latin1');
    down.handler?.onData(bytes, 0, bytes.length, isEnd);
  }

  /** The attempt that was made last. */
  get last(): SeenAttempt {
    const last = this.attempts.at(-1);
    if (last === undefined) throw new Error('no attempt was made');
    return last;
  }

  pass(ms: number): void {
    for (const endMs = this.clock.nowMs + ms; this.clock.nowMs < endMs; ) {
      this.clock.nowMs = Math.min(endMs, this.clock.nowMs + 4);
      this.wheel.advance(this.clock.nowMs);
    }
  }

  retries(result: keyof typeof RetryResult): number {
    return this.traffic.retries[RetryResult[result]]!;
  }

  hedges(result: keyof typeof HedgeResult): number {
    return this.traffic.hedges[HedgeResult[result]]!;
  }

  get endpointsInFlight(): number {
    return this.cluster.endpoints.reduce((sum, { inFlight }) => sum + inFlight, 0);
  }

  /** Everything that a settled request must have given back. */
  get leftovers(): Record<string, number> {
    return {
      inFlight: this.traffic.inFlight,
      endpoints: this.endpointsInFlight,
      timers: this.wheel.size,
      budget: this.policy.outbound.retries?.budget.inFlight ?? 0,
    };
  }

  private connect(address: string, waiter: UpstreamWaiter): void {
    this.dials.push(address);
    if (this.unreachable.has(address) || this.unreachable.has('*')) {
      return waiter.onConnectFailed(Reason.upstreamConnect, 'nobody there');
    }
    waiter.onConnection({
      takesExtendedConnect: true,
      request: (list, endStream, handler) => {
        const attempt = new SeenAttempt(address, list, handler);
        attempt.ended = endStream;
        this.attempts.push(attempt);
        return attempt;
      },
    });
  }
}

export const nothingLeft = { inFlight: 0, endpoints: 0, timers: 0, budget: 0 };
