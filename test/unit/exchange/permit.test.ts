/** What a permit does while the app has the request, and what the limit hears: exchanges between streams a test plays. */

import { describe, expect, it } from 'vitest';
import { XorShift32 } from '../../../proto/kernel/random.ts';
import { TimerWheel } from '../../../proto/kernel/timer-wheel.ts';
import type { InboundSpec, PolicySpec } from '../../../proto/policy/schema.ts';
import { DeliveryCredit } from '../../../sidecar/admission/delivery-credit.ts';
import { SelfShedder } from '../../../sidecar/admission/self-shedder.ts';
import { ContextTable } from '../../../sidecar/exchange/context-table.ts';
import { Gate } from '../../../sidecar/exchange/gate.ts';
import { Protocol } from '../../../sidecar/exchange/http-stream.ts';
import { InboundSide } from '../../../sidecar/exchange/inbound.ts';
import { beginExchange } from '../../../sidecar/exchange/recycling.ts';
import { RequestPriority } from '../../../sidecar/exchange/request-priority.ts';
import { TrafficStats } from '../../../sidecar/exchange/traffic-stats.ts';
import { Trust } from '../../../sidecar/exchange/trust.ts';
import { ErrorCode } from '../../../sidecar/http2/constants.ts';
import { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import { ResetCause } from '../../../sidecar/http2/stream.ts';
import { LivePolicy } from '../../../sidecar/policy/swap.ts';
import { contextOf, FakeStream, SeenAttempt } from './retry-rig.ts';

const message = Buffer.from([0, 0, 0, 0, 1, 7]);
const grpcHead = HeaderList.of([
  [':status', '200'],
  ['content-type', 'application/grpc'],
]);

/** A sidecar's inbound side and an app that answers when the test says so. */
class Rig {
  readonly clock = { nowMs: 1000 };
  readonly wheel = new TimerWheel(4, 1000);
  readonly policy = new LivePolicy('shop/a');
  readonly seen: SeenAttempt[] = [];
  readonly samples: string[] = [];
  private readonly side: InboundSide;

  constructor(inbound: InboundSpec, enforcement: NonNullable<PolicySpec['enforcement']> = 'enforce') {
    const { clock, wheel, policy } = this;
    policy.apply({ target: { service: 'a' }, enforcement, inbound }, { epoch: '', version: 1, hash: '' }, 0);
    const admission = this.admission;
    const sample = admission.sample.bind(admission);
    admission.sample = (rttMs, isDrop, nowMs) => {
      this.samples.push(`${rttMs}${isDrop ? ' drop' : ''}`);
      sample(rttMs, isDrop, nowMs);
    };
    this.side = new InboundSide({
      clock,
      wheel,
      policy,
      traffic: new TrafficStats('inbound', 'shop/a'),
      delivery: new DeliveryCredit(),
      gate: new Gate(new SelfShedder({ lagMsMax: 0, heapShareMax: 0 })),
      appAddress: 'app',
      appProtocol: () => Protocol.http2,
      meshToken: null,
      trust: new Trust(true, []),
      priority: new RequestPriority({ table: new ContextTable(1), random: new XorShift32(1), wallOriginMs: 0 }),
    });
  }

  get admission() {
    const { admission } = this.policy.inbound;
    if (admission === null) throw new Error('there is no limit');
    return admission;
  }

  /** In flight, waiting, and long streams. */
  get counts(): number[] {
    return [this.admission.inFlight, this.admission.queued, this.admission.longStreams];
  }

  send(fields: readonly (readonly [string, string])[], isWhole = true): FakeStream {
    const { clock, wheel, seen } = this;
    const down = new FakeStream();
    const head = HeaderList.of([[':scheme', 'http'], [':authority', 'a'], [':path', '/'], ...fields]);
    const context = contextOf(
      { clock, wheel, random: new XorShift32(1) },
      {
        connect: (address, _protocol, _timeoutMs, waiter) =>
          waiter.onConnection({
            takesExtendedConnect: true,
            request: (list, endStream, handler) => {
              const attempt = new SeenAttempt(address, list, handler);
              attempt.ended = endStream;
              seen.push(attempt);
              return attempt;
            },
          }),
        cancel() {},
      },
    );
    const peer = { address: '127.0.0.1', identity: '' };
    beginExchange(context, this.side, down, head, isWhole, Protocol.http2, peer);
    return down;
  }

  get(fields: readonly (readonly [string, string])[] = []): FakeStream {
    return this.send([[':method', 'GET'], ...fields]);
  }

  call(isWhole = true): FakeStream {
    return this.send(
      [
        [':method', 'POST'],
        ['content-type', 'application/grpc'],
        ['te', 'trailers'],
      ],
      isWhole,
    );
  }

  pass(ms: number): void {
    for (const endMs = this.clock.nowMs + ms; this.clock.nowMs < endMs; ) {
      this.clock.nowMs = Math.min(endMs, this.clock.nowMs + 4);
      this.wheel.advance(this.clock.nowMs);
    }
  }
}

const limitOf = (limit: number, more: object = {}): InboundSpec => ({ concurrency: { fixed: { limit, ...more } } });

describe('the limit hears', () => {
  it('the time from forwarding to the head of an HTTP answer, whatever its content takes', () => {
    const rig = new Rig(limitOf(1));
    rig.get();
    rig.pass(12);
    rig.seen[0]!.handler!.onHeaders(HeaderList.of([[':status', '200']]), false);
    rig.pass(50);
    rig.seen[0]!.handler!.onData(message, 0, 6, true);
    expect([rig.samples, rig.counts]).toEqual([['12'], [0, 0, 0]]);
  });

  it('the time to the first message of a gRPC answer, whose head may come long before', () => {
    const rig = new Rig(limitOf(1));
    rig.call();
    rig.pass(4);
    rig.seen[0]!.handler!.onHeaders(grpcHead, false);
    rig.pass(16);
    rig.seen[0]!.handler!.onData(message, 0, 6, false);
    rig.seen[0]!.handler!.onTrailers(HeaderList.of([['grpc-status', '0']]));
    expect([rig.samples, rig.counts]).toEqual([['20'], [0, 0, 0]]);
  });

  it('the time in the queue not at all', () => {
    const rig = new Rig(limitOf(1));
    rig.get();
    rig.get();
    rig.pass(20);
    rig.seen[0]!.answer(200);
    rig.pass(8);
    rig.seen[1]!.answer(200);
    expect(rig.samples).toEqual(['20', '8']);
  });

  it('time from the end of an upload on, and nothing of an answer that comes before it', () => {
    const rig = new Rig(limitOf(2));
    const upload = rig.send([[':method', 'POST']], false);
    rig.pass(40);
    upload.handler!.onData(message, 0, 6, true);
    rig.pass(8);
    rig.seen[0]!.answer(200);
    rig.call(false);
    rig.seen[1]!.handler!.onHeaders(grpcHead, false);
    rig.seen[1]!.handler!.onData(message, 0, 6, false);
    expect(rig.samples).toEqual(['8']);
  });

  it.each<[string, (attempt: SeenAttempt) => void]>([
    ['429', (attempt) => attempt.answer(429)],
    ['503', (attempt) => attempt.answer(503)],
    ['a reset', (attempt) => attempt.fail(ErrorCode.internalError, ResetCause.peer)],
    ['a lost connection', (attempt) => attempt.fail(ErrorCode.internalError, ResetCause.connection)],
  ])('a drop when the app answers with %s', (_name, answer) => {
    const rig = new Rig(limitOf(1));
    rig.get();
    rig.pass(8);
    answer(rig.seen[0]!);
    expect([rig.samples, rig.counts]).toEqual([['8 drop'], [0, 0, 0]]);
  });

  it('a drop when the app says RESOURCE_EXHAUSTED, unless it passes on what a sidecar further on said', () => {
    const rig = new Rig(limitOf(1));
    rig.call();
    rig.seen[0]!.grpc(8);
    rig.call();
    rig.seen[1]!.grpc(8, [['weir-reason', 'queue_full']]);
    expect(rig.samples).toEqual(['0 drop', '0']);
  });
});

describe('a permit', () => {
  it('of a timed-out request stays with the work in the app, and comes back with its late answer', () => {
    const rig = new Rig({ ...limitOf(1), deadline: { default: '20ms' } });
    const down = rig.get();
    rig.pass(28);
    expect([down.status, rig.counts, rig.seen[0]!.resetCode]).toEqual([504, [1, 0, 0], -1]);
    expect(rig.samples).toEqual(['20 drop']);
    const next = rig.get();
    rig.pass(12);
    expect(rig.counts).toEqual([1, 1, 0]);
    rig.seen[0]!.answer(200);
    expect(rig.counts).toEqual([1, 0, 0]);
    rig.seen[1]!.answer(200);
    expect([next.status, down.heads.length, rig.counts, rig.wheel.size]).toEqual([200, 1, [0, 0, 0], 0]);
    expect(rig.samples).toEqual(['20 drop', '0']);
  });

  it('comes back when abandonAfter has passed, and the app is told then', () => {
    const rig = new Rig(limitOf(1, { abandonAfter: '100ms' }));
    const down = rig.get();
    down.handler!.onReset(ErrorCode.cancel, ResetCause.peer);
    rig.pass(96);
    expect([rig.counts, rig.seen[0]!.resetCode]).toEqual([[1, 0, 0], -1]);
    rig.pass(8);
    expect([rig.counts, rig.seen[0]!.resetCode]).toEqual([[0, 0, 0], ErrorCode.cancel]);
    rig.seen[0]!.answer(200);
    expect([rig.counts, rig.samples]).toEqual([[0, 0, 0], ['100 drop']]);
  });

  it('tells how long the app took for one whose caller went away, once it is done', () => {
    const rig = new Rig(limitOf(1));
    rig.get().handler!.onReset(ErrorCode.cancel, ResetCause.peer);
    rig.pass(40);
    expect(rig.samples).toEqual([]);
    rig.seen[0]!.answer(200);
    expect([rig.counts, rig.samples]).toEqual([[0, 0, 0], ['40']]);
  });

  it('comes back, and the stream is reset, with the first of an answer that nobody wants', () => {
    const rig = new Rig(limitOf(2));
    for (const down of [rig.get(), rig.call()]) down.handler!.onReset(ErrorCode.cancel, ResetCause.peer);
    rig.seen[0]!.handler!.onHeaders(HeaderList.of([[':status', '200']]), false);
    expect([rig.counts, rig.seen[0]!.resetCode]).toEqual([[1, 0, 0], ErrorCode.cancel]);
    rig.seen[1]!.handler!.onHeaders(grpcHead, false);
    expect(rig.counts).toEqual([1, 0, 0]);
    rig.seen[1]!.handler!.onData(message, 0, 6, false);
    expect([rig.counts, rig.seen[1]!.resetCode]).toEqual([[0, 0, 0], ErrorCode.cancel]);
  });

  it.each<[string, InboundSpec, NonNullable<PolicySpec['enforcement']>]>([
    ['abandonAfter is 0s', limitOf(1, { abandonAfter: '0s' }), 'enforce'],
    ['the policy is in shadow', limitOf(1), 'shadow'],
  ])('comes back at once, and the app is told, when %s', (_name, inbound, enforcement) => {
    const rig = new Rig(inbound, enforcement);
    rig.get().handler!.onReset(ErrorCode.cancel, ResetCause.peer);
    expect([rig.counts, rig.seen[0]!.resetCode]).toEqual([[0, 0, 0], ErrorCode.cancel]);
  });

  it('comes back at once when the request was not all there: the app would wait for the rest', () => {
    const rig = new Rig(limitOf(1));
    rig.send([[':method', 'POST']], false).handler!.onReset(ErrorCode.cancel, ResetCause.peer);
    expect([rig.counts, rig.seen[0]!.resetCode]).toEqual([[0, 0, 0], ErrorCode.cancel]);
  });

  it('of a stream comes back with its first message: 14 long streams do not exhaust a limit of 14', () => {
    const rig = new Rig(limitOf(14));
    for (let i = 0; i < 14; i++) {
      rig.call();
      rig.seen[i]!.handler!.onHeaders(grpcHead, false);
      rig.seen[i]!.handler!.onData(message, 0, 6, false);
    }
    expect(rig.counts).toEqual([0, 0, 14]);
    const down = rig.get();
    rig.seen[14]!.answer(200);
    expect([down.status, rig.counts]).toEqual([200, [0, 0, 14]]);
    rig.pass(60_000);
    for (let i = 0; i < 14; i++) rig.seen[i]!.handler!.onTrailers(HeaderList.of([['grpc-status', '0']]));
    expect([rig.counts, rig.samples.length]).toEqual([[0, 0, 0], 15]);
  });

  it('of a stream beyond streamsMax stays with it to its end', () => {
    const rig = new Rig(limitOf(3, { streamsMax: 1 }));
    for (let i = 0; i < 2; i++) {
      rig.get([['accept', 'text/event-stream']]);
      const head = HeaderList.of([
        [':status', '200'],
        ['content-type', 'text/event-stream'],
      ]);
      rig.seen[i]!.handler!.onHeaders(head, false);
    }
    expect(rig.counts).toEqual([1, 0, 1]);
    for (const stream of rig.seen) stream.handler!.onData(message, 0, 6, true);
    expect(rig.counts).toEqual([0, 0, 0]);
  });

  it('of a cancelled stream is not left behind: it gave it back long ago', () => {
    const rig = new Rig(limitOf(1));
    const down = rig.call();
    rig.seen[0]!.handler!.onHeaders(grpcHead, false);
    rig.seen[0]!.handler!.onData(message, 0, 6, false);
    down.handler!.onReset(ErrorCode.cancel, ResetCause.peer);
    expect([rig.counts, rig.seen[0]!.resetCode]).toEqual([[0, 0, 0], ErrorCode.cancel]);
  });
});
