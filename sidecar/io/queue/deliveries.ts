/** Gives the app what a queue holds, through the inbound steps, each with a time of its own. */

import type { ParkedRequest } from '../../../proto/parked.ts';
import { Reason } from '../../../proto/reasons.ts';
import { type TierName, tierOf } from '../../../proto/tiers.ts';
import type { ExchangeContext, Side } from '../../exchange/context.ts';
import { Delivery, type DeliveryEnd } from '../../exchange/delivery.ts';
import { Protocol } from '../../exchange/http-stream.ts';
import { ErrorCode } from '../../http2/constants.ts';
import { HeaderList } from '../../http2/hpack/field.ts';
import { ResetCause } from '../../http2/stream.ts';
import { tick } from '../clock.ts';

/** What is sent, as a parked request has it: header names in lower case and without those of framing. */
type Sent = Pick<ParkedRequest, 'isGrpc' | 'httpVersion' | 'method' | 'scheme' | 'authority' | 'path' | 'headers'>;

export interface DeliveryRequest extends Sent {
  readonly body: Buffer;
  /** 1 = the first. */
  readonly delivery: number;
  readonly tier: TierName;
  readonly timeoutMs: number;
}

/** RFC 9110 §9.1, RFC 3986 without what no request line can hold. */
const isMethod = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/;
const isTarget = /^[!-~]+$/;
const malformed: DeliveryEnd = { status: 0, grpcStatus: '', reason: Reason.badRequest };
/** Of framing, of this hop, or ours to say. */
const notPassed =
  /^(:.*|connection|content-length|expect|grpc-timeout|host|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|weir-.*)$/i;

export class Deliveries {
  private readonly context: ExchangeContext;
  private readonly side: Side;
  private readonly onRequest: () => void;

  constructor(context: ExchangeContext, side: Side, onRequest: () => void) {
    this.context = context;
    this.side = side;
    this.onRequest = onRequest;
  }

  deliver(request: DeliveryRequest): Promise<DeliveryEnd> {
    tick();
    const head = headOf(request);
    // Whoever may write to a queue may not thereby write into a connection to the app.
    if (head.requestError !== 0 || !isWritable(request)) {
      return Promise.resolve(malformed);
    }
    this.onRequest();
    return new Promise((resolve) => {
      const delivery = new Delivery({
        context: this.context,
        side: this.side,
        head,
        body: request.body,
        tier: tierOf(request.tier),
        protocol: request.isGrpc || request.httpVersion === 2 ? Protocol.http2 : Protocol.http1,
        onEnd: (end) => {
          clearTimeout(timer);
          resolve(end);
        },
      });
      const timer = setTimeout(() => {
        tick();
        delivery.cancel(ErrorCode.cancel, ResetCause.peer);
      }, request.timeoutMs);
      delivery.begin();
    });
  }
}

function headOf(request: DeliveryRequest): HeaderList {
  const { method, scheme, authority, path, headers, body, isGrpc, delivery, tier, timeoutMs } = request;
  return HeaderList.of([
    [':method', method],
    [':scheme', scheme],
    [':authority', authority],
    [':path', path],
    ...headers.filter(([name]) => !notPassed.test(name)),
    ...(isGrpc
      ? ([
          ['te', 'trailers'],
          ['grpc-timeout', `${timeoutMs}m`],
        ] as const)
      : []),
    ...(isGrpc || (body.length === 0 && (method === 'GET' || method === 'HEAD'))
      ? []
      : ([['content-length', String(body.length)]] as const)),
    ['weir-tier', tier],
    ['weir-delivery', String(delivery)],
  ]);
}

function isWritable({ method, authority, path }: DeliveryRequest): boolean {
  return isMethod.test(method) && isTarget.test(path) && isTarget.test(authority);
}
