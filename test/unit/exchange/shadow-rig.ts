/**
 * One side of a sidecar under one policy, between a caller and an app that a test plays: it sends requests, the app takes as
 * long for each as the test says, and time moves by hand.
 */
import { XorShift32 } from '../../../proto/kernel/random.ts';
import { Timer, TimerWheel } from '../../../proto/kernel/timer-wheel.ts';
import type { PolicySpec } from '../../../proto/policy/schema.ts';
import { Reason, reasonName } from '../../../proto/reasons.ts';
import { DeliveryCredit } from '../../../sidecar/admission/delivery-credit.ts';
import { SelfShedder } from '../../../sidecar/admission/self-shedder.ts';
import type { Side } from '../../../sidecar/exchange/context.ts';
import { ContextTable } from '../../../sidecar/exchange/context-table.ts';
import { Gate } from '../../../sidecar/exchange/gate.ts';
import { Protocol, type UpstreamWaiter } from '../../../sidecar/exchange/http-stream.ts';
import { InboundSide } from '../../../sidecar/exchange/inbound.ts';
import { OutboundSide } from '../../../sidecar/exchange/outbound.ts';
import { beginExchange } from '../../../sidecar/exchange/recycling.ts';
import { RequestPriority } from '../../../sidecar/exchange/request-priority.ts';
import { type Target, Targets } from '../../../sidecar/exchange/targets.ts';
import { TrafficStats } from '../../../sidecar/exchange/traffic-stats.ts';
import { Trust } from '../../../sidecar/exchange/trust.ts';
import { ErrorCode } from '../../../sidecar/http2/constants.ts';
import { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import { ResetCause } from '../../../sidecar/http2/stream.ts';
import { notShared } from '../../../sidecar/policy/sharing.ts';
import { LivePolicy } from '../../../sidecar/policy/swap.ts';
import { AuthorityMap } from '../../../sidecar/routing/authority.ts';
import { Cluster } from '../../../sidecar/routing/cluster.ts';
import { contextOf, FakeStream, SeenAttempt } from './retry-rig.ts';

export type Direction = 'inbound' | 'outbound';
export type Fields = readonly (readonly [string, string])[];

/** How the app, or the service that is called, behaves. */
export interface AppManners {
  /** From a request to its answer. A request may say it itself, in `x-serve`. */
  serveMs: number;
  status: number;
  fields: Fields;
  /** Until a connection to it stands. */
  connectMs: number;
  /** The head comes at once, the content after `serveMs`. */
  streams: boolean;
  /** Requests that come together wait for each other in the app. */
  oneByOne: boolean;
}

class Later extends Timer {
  private readonly run: () => void;

  constructor(run: () => void) {
    super();
    this.run = run;
  }

  override onTimer(): void {
    this.run();
  }
}

export class ShadowRig {
  readonly clock = { nowMs: 1000 };
  readonly app: AppManners = { serveMs: 8, status: 200, fields: [], connectMs: 0, streams: false, oneByOne: false };
  readonly traffic: TrafficStats;
  /** How many requests the app wants. */
  readonly delivery = new DeliveryCredit();
  readonly policy = new LivePolicy('shop/b', undefined, { ...notShared, delivery: this.delivery });
  readonly callers: FakeStream[] = [];
  /** When requests came to the app. */
  readonly reachedMs: number[] = [];
  readonly cluster: Cluster;
  readonly wheel = new TimerWheel(4, 1000);
  private readonly side: Side;
  readonly random = new XorShift32(5);
  private appBusyUntilMs = 0;
  private readonly connecting = new Map<UpstreamWaiter, Later[]>();

  constructor(direction: Direction, spec: Omit<PolicySpec, 'target'>, endpoints: readonly string[] = ['10.0.0.1:80']) {
    this.traffic = new TrafficStats(direction, 'shop/b');
    this.cluster = new Cluster({ key: 'shop/b', random: this.random, staticEndpoints: endpoints });
    this.apply(spec);
    this.side = direction === 'inbound' ? this.inbound() : this.outbound();
  }

  apply(spec: Omit<PolicySpec, 'target'>): void {
    const origin = { epoch: '', version: 1, hash: '' };
    this.policy.apply({ target: { service: 'b' }, ...spec }, origin, this.clock.nowMs);
  }

  /** Requests that came to the app. */
  get reached(): number {
    return this.reachedMs.length;
  }

  /** Its caller goes away. */
  abandon(caller: FakeStream): void {
    caller.isClosed = true;
    caller.handler?.onReset(ErrorCode.cancel, ResetCause.peer);
  }

  get(path = '/', fields: Fields = []): FakeStream {
    const { side } = this;
    const down = new FakeStream();
    this.callers.push(down);
    const context = contextOf(this, {
      connect: (_address, _protocol, timeoutMs, waiter) => this.connect(timeoutMs, waiter),
      cancel: (_address, _protocol, waiter) => this.forget(waiter),
    });
    const head = HeaderList.of([
      [':method', 'GET'],
      [':scheme', 'http'],
      [':authority', 'b'],
      [':path', path],
      ...fields,
    ]);
    beginExchange(context, side, down, head, true, Protocol.http2, { address: '127.0.0.1', identity: '' });
    return down;
  }

  pass(ms: number): void {
    for (const endMs = this.clock.nowMs + ms; this.clock.nowMs < endMs; ) {
      this.clock.nowMs = Math.min(endMs, this.clock.nowMs + 4);
      this.wheel.advance(this.clock.nowMs);
      if (this.policy.queued > 0) this.policy.expire(this.clock.nowMs);
    }
  }

  /** Evenly, for so long. */
  load(perSecond: number, forMs: number, path = '/'): void {
    const begunMs = this.clock.nowMs;
    let sent = 0;
    while (this.clock.nowMs - begunMs < forMs) {
      for (; (sent * 1000) / perSecond <= this.clock.nowMs - begunMs; sent++) this.get(path);
      this.pass(4);
    }
  }

  /** Until everybody has been answered, or should have been. */
  settle(): void {
    for (let i = 0; i < 1000 && this.traffic.inFlight > 0; i++) this.pass(100);
  }

  /** Everything that requests must have given back, once all of them are over. */
  get leftovers(): Record<string, number> {
    const sum = (numbers: Iterable<number>): number => Array.from(numbers).reduce((total, one) => total + one, 0);
    const limits = [...this.policy.limits()].flatMap(({ admission }) => admission ?? []);
    return {
      inFlight: this.traffic.inFlight,
      timers: this.wheel.size,
      permits: sum(limits.map(({ inFlight }) => inFlight)),
      queued: sum(limits.map(({ queued }) => queued)),
      queuedBytes: sum(limits.map(({ queuedBytes }) => queuedBytes)),
      longStreams: sum(limits.map(({ longStreams }) => longStreams)),
      inLine: sum(Array.from(this.policy.rateLimits(), ({ rule }) => rule.waiting)),
      atEndpoints: sum(this.cluster.endpoints.map(({ inFlight }) => inFlight)),
      retries: this.policy.outbound.retries?.budget.inFlight ?? 0,
    };
  }

  /** What was refused, and what would have been, by the reason's name. */
  get refused(): Record<string, number> {
    return byName(this.traffic.rejected);
  }

  get wouldRefuse(): Record<string, number> {
    return byName(this.traffic.wouldReject);
  }

  /** Callers that did not get the whole answer of the app. */
  get unserved(): number {
    const { status } = this.app;
    return this.callers.filter((caller) => caller.status !== status || !caller.ended || caller.resetCode >= 0).length;
  }

  /** The reasons that callers were told. */
  get told(): string[] {
    const reasons = this.callers.map(({ heads }) => heads.at(-1)?.get('weir-reason') ?? '');
    return [...new Set(reasons.filter((reason) => reason !== ''))];
  }

  private connect(timeoutMs: number, waiter: UpstreamWaiter): void {
    if (this.app.connectMs === 0) return this.connected(waiter);
    const stands = this.later(this.app.connectMs, () => this.over(waiter, () => this.connected(waiter)));
    const fails = this.later(timeoutMs, () =>
      this.over(waiter, () => waiter.onConnectFailed(Reason.upstreamConnect, 'it takes too long')),
    );
    this.connecting.set(waiter, [stands, fails]);
  }

  private over(waiter: UpstreamWaiter, act: () => void): void {
    this.forget(waiter);
    act();
  }

  private forget(waiter: UpstreamWaiter): void {
    for (const timer of this.connecting.get(waiter) ?? []) this.wheel.cancel(timer);
    this.connecting.delete(waiter);
  }

  private connected(waiter: UpstreamWaiter): void {
    waiter.onConnection({
      takesExtendedConnect: true,
      request: (list, _endStream, handler) => {
        this.reachedMs.push(this.clock.nowMs);
        const attempt = new SeenAttempt('', list, handler);
        this.serve(attempt);
        return attempt;
      },
    });
  }

  private serve(attempt: SeenAttempt): void {
    const { streams, status, fields, serveMs, oneByOne } = this.app;
    const { nowMs } = this.clock;
    const beginsMs = oneByOne ? Math.max(nowMs, this.appBusyUntilMs) : nowMs;
    this.appBusyUntilMs = beginsMs + Number(attempt.head.get('x-serve') ?? serveMs);
    const answers = attempt.head.get('x-status') ?? String(status);
    const head = HeaderList.of([[':status', answers], ...fields]);
    const content = Buffer.from('content');
    if (streams) {
      this.later(0, () => {
        attempt.handler?.onHeaders(head, false);
        attempt.handler?.onData(content, 0, content.length, false);
      });
    }
    this.later(this.appBusyUntilMs - nowMs, () => {
      if (attempt.isClosed) return;
      if (streams) attempt.handler?.onData(content, 0, 0, true);
      else attempt.handler?.onHeaders(head, true);
    });
  }

  private later(ms: number, run: () => void): Later {
    const timer = new Later(run);
    this.wheel.schedule(timer, this.clock.nowMs + ms);
    return timer;
  }

  private inbound(): InboundSide {
    const { clock, wheel, policy, traffic } = this;
    return new InboundSide({
      clock,
      wheel,
      policy,
      traffic,
      gate: this.gate(),
      delivery: this.delivery,
      appAddress: '10.0.0.1:80',
      appProtocol: () => Protocol.http2,
      meshToken: null,
      trust: new Trust(false, []),
      priority: this.priority(),
    });
  }

  private outbound(): OutboundSide {
    const { clock, policy, traffic, random, cluster } = this;
    const target: Target = { key: 'shop/b', policy, cluster, traffic, onFailure: null, onProbe: null };
    return new OutboundSide({
      clock,
      gate: this.gate(),
      targets: new Targets(new AuthorityMap({ namespace: 'shop' }), () => target),
      unrouted: new TrafficStats('outbound', 'unknown'),
      fixedTarget: 'shop/b',
      upstreamProtocol: () => Protocol.http2,
      meshToken: null,
      tells: false,
      own: new LivePolicy('shop/a'),
      priority: this.priority(),
      random,
      parker: null,
    });
  }

  private gate(): Gate {
    return new Gate(new SelfShedder({ lagMsMax: 0, heapShareMax: 0 }));
  }

  private priority(): RequestPriority {
    return new RequestPriority({ table: new ContextTable(1), random: this.random, wallOriginMs: 0 });
  }
}

function byName(counts: Float64Array): Record<string, number> {
  return Object.fromEntries(
    [...counts].flatMap((count, code) => (count > 0 && code !== Reason.none ? [[reasonName(code), count]] : [])),
  );
}
