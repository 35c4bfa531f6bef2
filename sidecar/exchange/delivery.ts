/**
 * A request without a caller: what a queue holds is given to the app through the same steps as what comes in, limits,
 * queue and all. Its answer is not kept; what it says about the request is.
 */
import type { HeaderList } from '../http2/hpack/field.ts';
import type { CreditSource, StreamHandler } from '../http2/stream.ts';
import type { ExchangeContext, Observer, RequestView, Side } from './context.ts';
import { Exchange } from './exchange.ts';
import type { HttpStream } from './http-stream.ts';
import type { Peer } from './peer.ts';

/** How a delivery ended. */
export interface DeliveryEnd {
  /** Of the app's answer; 0 = there was none. */
  readonly status: number;
  /** '' = the answer is none of gRPC, or came without. */
  readonly grpcStatus: string;
  /** `Reason` by which we ended it; 0 = the app did. */
  readonly reason: number;
}

/** From us to us. */
const peer: Peer = { address: '', identity: '' };

/** Swallows an answer as fast as it comes. */
class Sink implements HttpStream {
  handler: StreamHandler | null = null;
  source: CreditSource | null = null;
  isClosed = false;
  remoteClosed = true;

  sendHeaders(_list: HeaderList, endStream: boolean): void {
    if (endStream) this.isClosed = true;
  }

  sendData(_buf: Buffer, start: number, end: number, endStream: boolean): void {
    if (endStream) this.isClosed = true;
    this.source?.credit(end - start);
  }

  sendTrailers(): void {
    this.isClosed = true;
  }

  reset(): void {
    this.isClosed = true;
  }

  credit(): void {}
}

export interface DeliveryOptions {
  readonly context: ExchangeContext;
  readonly side: Side;
  readonly head: HeaderList;
  readonly body: Buffer;
  /** Where the policy has no priorities, in which order it waits. */
  readonly tier: number;
  /** `Protocol` of the app. */
  readonly protocol: number;
  readonly onEnd: (end: DeliveryEnd) => void;
}

export class Delivery implements Observer {
  private readonly options: DeliveryOptions;
  private readonly exchange: Exchange;
  private readonly sink = new Sink();

  constructor(options: DeliveryOptions) {
    this.options = options;
    const { context, side, head, tier } = options;
    this.exchange = new Exchange({ ...context, observer: this }, side, this.sink, head);
    this.exchange.tier = tier;
  }

  begin(): void {
    const { body, protocol } = this.options;
    this.exchange.begin(body.length === 0, protocol, peer);
    if (body.length > 0 && !this.exchange.isSettled) this.exchange.onData(body, 0, body.length, true);
  }

  /** It took too long. */
  cancel(code: number, cause: number): void {
    if (!this.exchange.isSettled) this.exchange.onReset(code, cause);
  }

  onSettled(request: RequestView, side: Side, outcome: number, reason: number): void {
    this.options.context.observer.onSettled(request, side, outcome, reason);
    this.options.onEnd({ status: request.status, grpcStatus: request.grpcStatus, reason });
  }
}
