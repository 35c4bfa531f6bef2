/**
 * What a policy would do with the traffic that was recorded: the requests arrive again, at the same distances, before the
 * real inbound side with the real policy objects, on a clock of their own and with an app that takes as long as it took.
 * Nothing of what is in force is touched.
 *
 * What it cannot know it says (`caveats`): callers do not try again, the app does not get faster when it is spared.
 *
 * A generator, because it shares its thread with real requests: whoever drives it stops between two steps.
 */
import { XorShift32 } from '../../proto/kernel/random.ts';
import { TimerWheel } from '../../proto/kernel/timer-wheel.ts';
import type { PolicySpec } from '../../proto/policy/schema.ts';
import { Reason, reasonName } from '../../proto/reasons.ts';
import type { Rehearsed } from '../../proto/rehearsal.ts';
import { tierNames } from '../../proto/tiers.ts';
import { DeliveryCredit } from '../admission/delivery-credit.ts';
import { SelfShedder } from '../admission/self-shedder.ts';
import { FlowBudget } from '../http2/flow-budget.ts';
import { HeaderList } from '../http2/hpack/field.ts';
import type { CreditSource, StreamHandler } from '../http2/stream.ts';
import { LivePolicy } from '../policy/swap.ts';
import type { Clock, RequestView, Side } from './context.ts';
import { ContextTable } from './context-table.ts';
import { Exchange } from './exchange.ts';
import { Gate } from './gate.ts';
import { type HttpStream, Protocol, type UpstreamConnection } from './http-stream.ts';
import { InboundSide } from './inbound.ts';
import { caveatsOf, rehearsable } from './rehearsal-caveats.ts';
import { ServiceTimes } from './rehearsal-times.ts';
import { RequestPriority } from './request-priority.ts';
import { TimeHeap } from './time-heap.ts';
import { noTier, type RecordedTraffic } from './traffic-recording.ts';
import { TrafficStats } from './traffic-stats.ts';
import { Trust } from './trust.ts';

const originMs = 1_000;
const tickMs = 5;
const appAddress = 'app';
/** Routes listed, those with most rejections. */
const routesListedMax = 20;
/** Events between two places where the driver may stop. */
const eventsPerStep = 64;

export function* rehearse(target: string, spec: PolicySpec, recorded: RecordedTraffic): Generator<void, Rehearsed> {
  const stage = new Stage(target, rehearsable(spec), recorded);
  while (stage.step(eventsPerStep)) yield;
  return stage.result(caveatsOf(spec, recorded));
}

class Stage {
  readonly clock: Clock = { nowMs: originMs };
  readonly ended = new TimeHeap<AppCall>();
  readonly times: ServiceTimes;
  private readonly recorded: RecordedTraffic;
  private readonly policy: LivePolicy;
  private readonly side: Side;
  private readonly context: ConstructorParameters<typeof Exchange>[0];
  private readonly wheel = new TimerWheel(4, originMs);
  private readonly heads = new Map<number, HeaderList>();
  private readonly byReason = new Map<number, number>();
  private readonly byTier = new Map<number, Tally>();
  private readonly byPath = new Map<string, Tally>();
  private rejected = 0;
  private settled = 0;
  private arrived = 0;
  private tickAtMs = originMs;

  constructor(target: string, spec: PolicySpec, recorded: RecordedTraffic) {
    this.recorded = recorded;
    this.times = new ServiceTimes(recorded);
    this.policy = new LivePolicy(target);
    this.policy.apply(spec, { epoch: '', version: 0, hash: '' }, originMs);
    const random = new XorShift32(1);
    this.side = new InboundSide({
      clock: this.clock,
      wheel: this.wheel,
      policy: this.policy,
      traffic: new TrafficStats('inbound', target),
      gate: new Gate(new SelfShedder({ lagMsMax: 0, heapShareMax: 0 })),
      delivery: new DeliveryCredit(),
      appAddress,
      appProtocol: () => Protocol.http2,
      meshToken: null,
      // What callers said was believed or not when it was recorded.
      trust: new Trust(true, []),
      priority: new RequestPriority({ table: new ContextTable(1), random, wallOriginMs: 0 }),
    });
    this.context = {
      budget: new FlowBudget(),
      clock: this.clock,
      wheel: this.wheel,
      random,
      observer: { onSettled: (request, _side, _outcome, reason) => this.onSettled(request, reason) },
      upstreams: {
        connect: (_address, _protocol, _timeoutMs, waiter) => waiter.onConnection(new App(this)),
        cancel() {},
      },
    };
  }

  /** Whether there is more to come. */
  step(events: number): boolean {
    const { startedMs } = this.recorded;
    const first = startedMs[0] ?? 0;
    for (let i = 0; i < events; i++) {
      const arrivalMs =
        this.arrived < startedMs.length ? originMs + startedMs[this.arrived]! - first : Number.POSITIVE_INFINITY;
      const waits = this.wheel.size > 0 || this.policy.queued > 0;
      if (waits) this.tickAtMs = Math.max(this.tickAtMs, this.clock.nowMs);
      const tickAtMs = waits ? this.tickAtMs : Number.POSITIVE_INFINITY;
      const nextMs = Math.min(arrivalMs, tickAtMs, this.ended.nextAtMs);
      if (nextMs === Number.POSITIVE_INFINITY) return false;
      this.clock.nowMs = Math.max(this.clock.nowMs, nextMs);
      if (nextMs === this.ended.nextAtMs) this.ended.pop()?.answer();
      else if (nextMs === arrivalMs) this.arrive(this.arrived++);
      else {
        this.tickAtMs = this.clock.nowMs + tickMs;
        this.wheel.advance(this.clock.nowMs);
        this.policy.expire(this.clock.nowMs);
      }
    }
    return true;
  }

  result(caveats: readonly string[]): Rehearsed {
    const { startedMs, reason } = this.recorded;
    const recordedReasons = new Map<number, number>();
    let recordedRejected = 0;
    for (const code of reason) {
      if (code === Reason.none || code === Reason.cancelled) continue;
      recordedRejected++;
      recordedReasons.set(code, (recordedReasons.get(code) ?? 0) + 1);
    }
    const spanMs = startedMs.length > 1 ? startedMs[startedMs.length - 1]! - startedMs[0]! : 0;
    const routes = [...this.byPath].sort(([, a], [, b]) => b.rejected - a.rejected || b.requests - a.requests);
    return {
      requests: this.settled,
      seconds: Math.round(spanMs) / 1000,
      rejected: this.rejected,
      byReason: named(this.byReason),
      byTier: Object.fromEntries([...this.byTier].map(([tier, tally]) => [tierNames[tier] ?? 'normal', tally])),
      routes: routes.slice(0, routesListedMax).map(([route, tally]) => ({ route, ...tally })),
      recordedRejected,
      recordedByReason: named(recordedReasons),
      caveats: [...caveats],
    };
  }

  private arrive(index: number): void {
    const { names, identity, address } = this.recorded;
    const peer = { address: names[address[index]!] ?? '', identity: names[identity[index]!] ?? '' };
    const caller = new Caller();
    const exchange = new Exchange(this.context, this.side, caller, this.headOf(index));
    exchange.begin(true, Protocol.http2, peer);
  }

  /** One list for all requests that look alike, as the engine has it. */
  private headOf(index: number): HeaderList {
    const { names, method, path, tier, isGrpc } = this.recorded;
    const key = ((method[index]! * 4096 + path[index]!) * 256 + tier[index]!) * 2 + isGrpc[index]!;
    const known = this.heads.get(key);
    if (known !== undefined) return known;
    const fields: [string, string][] = [
      [':method', names[method[index]!] ?? 'GET'],
      [':scheme', 'http'],
      [':path', names[path[index]!] ?? '/'],
      [':authority', 'rehearsal'],
    ];
    if (isGrpc[index] === 1) fields.push(['te', 'trailers'], ['content-type', 'application/grpc']);
    if (tier[index] !== noTier) fields.push(['weir-tier', tierNames[tier[index]!] ?? 'normal']);
    const head = HeaderList.of(fields);
    this.heads.set(key, head);
    return head;
  }

  private onSettled({ tier, head }: RequestView, reason: number): void {
    this.settled++;
    const isRejected = reason !== Reason.none;
    count(this.byTier, tier, isRejected);
    count(this.byPath, head.path, isRejected);
    if (!isRejected) return;
    this.rejected++;
    this.byReason.set(reason, (this.byReason.get(reason) ?? 0) + 1);
  }
}

interface Tally {
  requests: number;
  rejected: number;
}

function count<Key>(tallies: Map<Key, Tally>, key: Key, isRejected: boolean): void {
  const tally = tallies.get(key) ?? { requests: 0, rejected: 0 };
  tally.requests++;
  if (isRejected) tally.rejected++;
  tallies.set(key, tally);
}

const named = (counts: ReadonlyMap<number, number>): Record<string, number> =>
  Object.fromEntries([...counts].map(([reason, number]) => [reasonName(reason), number]));

/** The app takes for each request what it took for it, as many at once as come. */
class App implements UpstreamConnection {
  readonly takesExtendedConnect = false;
  private readonly stage: Stage;

  constructor(stage: Stage) {
    this.stage = stage;
  }

  request(list: HeaderList, _endStream: boolean, handler: StreamHandler): HttpStream {
    const { times, ended, clock } = this.stage;
    const { serviceMs, isFailed } = times.next(list.path);
    const call = new AppCall(handler, isFailed);
    ended.push(clock.nowMs + serviceMs, call);
    return call;
  }
}

const goodHead = HeaderList.of([[':status', '200']]);
const badHead = HeaderList.of([[':status', '500']]);

class AppCall implements HttpStream {
  handler: StreamHandler | null;
  source: CreditSource | null = null;
  isClosed = false;
  readonly remoteClosed = false;
  private readonly isFailed: boolean;

  constructor(handler: StreamHandler, isFailed: boolean) {
    this.handler = handler;
    this.isFailed = isFailed;
  }

  answer(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.handler?.onHeaders(this.isFailed ? badHead : goodHead, true);
  }

  reset(): void {
    this.isClosed = true;
  }

  sendHeaders(): void {}
  sendTrailers(): void {}
  sendData(): void {}
  credit(): void {}
}

/** Whoever asked; what it is told goes nowhere. */
class Caller implements HttpStream {
  handler: StreamHandler | null = null;
  source: CreditSource | null = null;
  readonly isClosed = false;
  readonly remoteClosed = true;

  reset(): void {}
  sendHeaders(): void {}
  sendTrailers(): void {}
  credit(): void {}

  sendData(_buf: Buffer, start: number, end: number): void {
    this.source?.credit(end - start);
  }
}
