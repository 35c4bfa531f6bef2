/**
 * Messages through a chain of proxies, both ways at once: what each stream shall carry is said beforehand, and the
 * witnesses at both ends look at every byte.
 */
import { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import type { ConnectionLimits } from '../../../sidecar/http2/limits.ts';
import type { Http2Stream } from '../../../sidecar/http2/stream.ts';
import { contentOf } from './content.ts';
import { MessageWitness } from './message-witness.ts';
import { settleEnds } from './model-end.ts';
import { type Chain, chainOf } from './relay.ts';

export interface Plan {
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly trailers: boolean;
}

const trailers = HeaderList.of([['grpc-status', '0']]);
const response = HeaderList.of([[':status', '200']]);

/** One stream end to end. */
export class Call {
  readonly plan: Plan;
  readonly request: MessageWitness;
  readonly response: MessageWitness;
  clientStream: Http2Stream | null = null;
  serverStream: Http2Stream | null = null;

  constructor(plan: Plan, seed: number) {
    this.plan = plan;
    this.request = new MessageWitness(seed * 2);
    this.response = new MessageWitness(seed * 2 + 1);
  }

  get isComplete(): boolean {
    const { plan, request, response } = this;
    return (
      request.received === plan.requestBytes &&
      request.ended === 1 &&
      response.received === plan.responseBytes &&
      response.ended === 1
    );
  }

  resume(): void {
    for (const witness of [this.request, this.response]) {
      witness.isReading = true;
      witness.read();
    }
  }
}

export class Traffic {
  readonly chain: Chain;
  readonly calls: Call[] = [];

  constructor(relayCount: number, limits?: ConnectionLimits) {
    this.chain = chainOf(
      relayCount,
      (stream, head, endStream) => {
        const call = this.calls[Number(head.path.slice(1))];
        if (call === undefined) throw new Error(`nobody asked for ${head.path}`);
        call.serverStream = stream;
        call.request.stream = stream;
        stream.handler = call.request;
        call.request.onHeaders(head, endStream);
        stream.sendHeaders(response, false);
        send(stream, call.response.seed, call.plan.responseBytes, call.plan.trailers);
      },
      limits,
    );
    settleEnds(this.chain.hops);
  }

  begin(plan: Plan, isReading = true): Call {
    const at = this.calls.length;
    const call = new Call(plan, at);
    this.calls.push(call);
    call.request.isReading = isReading;
    call.response.isReading = isReading;
    const head = HeaderList.of([
      [':method', 'POST'],
      [':scheme', 'http'],
      [':authority', 'shop'],
      [':path', `/${at}`],
    ]);
    const stream = this.chain.client.connection.request(head, false, call.response);
    call.clientStream = stream;
    call.response.stream = stream;
    send(stream, call.request.seed, plan.requestBytes, plan.trailers);
    return call;
  }

  settle(): void {
    settleEnds(this.chain.hops);
  }

  /** Content that lies in the proxies, waiting for the next hop. */
  get queuedInRelays(): number {
    return this.chain.relays.reduce(
      (sum, { up, down }) => sum + up.connection.outputQueuedBytes + down.connection.outputQueuedBytes,
      0,
    );
  }

  /** Content that came into the proxies and for which they owe credit. */
  get heldInRelays(): number {
    return this.chain.relays.reduce(
      (sum, { up, down }) => sum + up.connection.receivedUndrainedBytes + down.connection.receivedUndrainedBytes,
      0,
    );
  }

  /** Nothing is left anywhere: no stream, no byte, no debt. */
  get leftovers(): string[] {
    const left: string[] = [];
    this.chain.hops.forEach((hop, at) => {
      hop.forEach((end, side) => {
        const { streamCount, receivedUndrainedBytes, outputQueuedBytes } = end.connection;
        const numbers = { streamCount, receivedUndrainedBytes, outputQueuedBytes };
        for (const [name, value] of Object.entries(numbers)) {
          if (value !== 0) left.push(`hop ${at} ${side === 0 ? 'client' : 'server'}: ${name} ${value}`);
        }
      });
    });
    return left;
  }
}

/** In pieces, as content comes. */
function send(stream: Http2Stream, seed: number, bytes: number, withTrailers: boolean): void {
  for (let at = 0; at < bytes; at += 50_000) {
    const end = Math.min(bytes, at + 50_000);
    stream.sendData(contentOf(seed, at, end), 0, end - at, false);
  }
  if (withTrailers) stream.sendTrailers(trailers);
  else stream.sendData(Buffer.alloc(0), 0, 0, true);
}
