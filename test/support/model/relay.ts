/**
 * A whole proxy without sockets: a server's end toward the caller, a client's end toward the next hop, and the real
 * exchange between them. `chainOf` puts several in a row, which is what a mesh is: two Weirs facing each other.
 */
import { XorShift32 } from '../../../proto/kernel/random.ts';
import { TimerWheel } from '../../../proto/kernel/timer-wheel.ts';
import { Reason } from '../../../proto/reasons.ts';
import type { AttemptView, ExchangeContext, RequestView, Side } from '../../../sidecar/exchange/context.ts';
import { Protocol, type Upstreams, type UpstreamWaiter } from '../../../sidecar/exchange/http-stream.ts';
import { beginExchange } from '../../../sidecar/exchange/recycling.ts';
import { FlowBudget } from '../../../sidecar/http2/flow-budget.ts';
import type { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import { type ConnectionLimits, defaultLimits } from '../../../sidecar/http2/limits.ts';
import { ModelEnd, type OnRequest } from './model-end.ts';

/** Admits everything and changes nothing. */
class OpenSide implements Side {
  readonly name = 'inbound';
  settled = 0;

  admit(): number {
    return 0;
  }

  pick(): string {
    return 'next';
  }

  refusalAgain(): number {
    return 0;
  }

  passesAgain(): boolean {
    return true;
  }

  isRetriedAbove(): boolean {
    return false;
  }

  admitAgain(): number {
    return 0;
  }

  protocolFor(): number {
    return Protocol.http2;
  }

  forwardedHead(request: RequestView): HeaderList {
    return request.head;
  }

  answerHead(_request: RequestView, _attempt: AttemptView | null, list: HeaderList): HeaderList {
    return list;
  }

  answerTrailers(_request: RequestView, list: HeaderList): HeaderList {
    return list;
  }

  release(): void {}

  wouldRefuse(): void {}

  refused(): void {}

  probeAnswered(): void {}
  answered(): void {}

  lingers(): boolean {
    return false;
  }

  turnTo(): number {
    return 0;
  }
  wouldAdmit(): void {}

  settleAttempt(): void {}

  settle(): void {
    this.settled++;
  }
}

export class Relay implements Upstreams {
  readonly down: ModelEnd;
  readonly up: ModelEnd;
  readonly side = new OpenSide();
  readonly context: ExchangeContext;
  begun = 0;
  /** Nobody gets a connection to the next hop. */
  isAway = false;
  private readonly waiters = new Set<UpstreamWaiter>();

  constructor(limits: ConnectionLimits = defaultLimits) {
    const context = {
      budget: new FlowBudget(),
      clock: { nowMs: 0 },
      wheel: new TimerWheel(4, 0),
      upstreams: this,
      observer: { onSettled: () => {} },
      random: new XorShift32(1),
    };
    this.context = context;
    const peer = { address: '127.0.0.1', identity: '' };
    this.up = new ModelEnd(false, undefined, limits);
    this.up.capacity = () => this.serveWaiters();
    this.down = new ModelEnd(
      true,
      (stream, head, endStream) => {
        this.begun++;
        beginExchange(context, this.side, stream, head, endStream, Protocol.http2, peer);
      },
      limits,
    );
  }

  connect(_address: string, _protocol: number, _timeoutMs: number, waiter: UpstreamWaiter): void {
    if (this.up.connection.isGoingAway) return waiter.onConnectFailed(Reason.upstreamConnect, 'the next hop is gone');
    this.waiters.add(waiter);
    this.serveWaiters();
  }

  cancel(_address: string, _protocol: number, waiter: UpstreamWaiter): void {
    this.waiters.delete(waiter);
  }

  failWaiters(): void {
    for (const waiter of [...this.waiters]) {
      this.waiters.delete(waiter);
      waiter.onConnectFailed(Reason.upstreamConnect, 'the next hop is away');
    }
  }

  private serveWaiters(): void {
    for (const waiter of this.waiters) {
      if (this.isAway || !this.up.connection.canOpenStream) return;
      this.waiters.delete(waiter);
      waiter.onConnection(this.up.connection);
    }
  }
}

export interface Chain {
  readonly client: ModelEnd;
  readonly relays: readonly Relay[];
  readonly server: ModelEnd;
  /** The connections, each as its two ends. */
  readonly hops: readonly (readonly [ModelEnd, ModelEnd])[];
}

export function chainOf(relayCount: number, onRequest: OnRequest, limits?: ConnectionLimits): Chain {
  const client = new ModelEnd(false, undefined, limits);
  const relays = Array.from({ length: relayCount }, () => new Relay(limits));
  const server = new ModelEnd(true, onRequest, limits);
  const clients = [client, ...relays.map(({ up }) => up)];
  const servers = [...relays.map(({ down }) => down), server];
  return { client, relays, server, hops: clients.map((end, at): [ModelEnd, ModelEnd] => [end, servers[at] ?? server]) };
}
