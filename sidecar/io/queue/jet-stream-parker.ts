/**
 * Stores requests in WEIR_RETRY. It exists before there is a connection and knows none until the control link has one.
 * How many are parked for a service is asked at most once a second, while somebody parks for it.
 */
import { encodeParked, parkedHeader } from '../../../proto/parked.ts';
import { parseServiceKey, type ServiceName, serviceKey, streams } from '../../../proto/subjects.ts';
import { type Parkable, type Parker, ParkingMemory, ParkResult } from '../../exchange/parker.ts';
import type { Bus } from '../control-link/bus.ts';
import { messagesIn, type PublishResult, publishConfirmed } from './jet-stream.ts';

/** Publishes that wait to be confirmed; beyond, a request is refused as ever. */
export const unconfirmedMax = 1024;
const countEveryMs = 1000;

const results: Readonly<Record<PublishResult, number>> = {
  stored: ParkResult.parked,
  full: ParkResult.full,
  unreachable: ParkResult.unreachable,
  unconfirmed: ParkResult.unconfirmed,
};

interface Count {
  messages: number;
  askedAtMs: number;
}

export interface JetStreamParkerOptions {
  /** `<ns>/<svc>` of our own. */
  readonly from: string;
  /** Unique for this process, or thread. */
  readonly incarnation: string;
  readonly memoryBytesMax: number;
}

export class JetStreamParker implements Parker {
  readonly memory: ParkingMemory;
  private readonly options: JetStreamParkerOptions;
  /** By target; there are no more than targets in use. */
  private readonly counts = new Map<string, Count>();
  private bus: Bus | null = null;
  private references = 0;
  private unconfirmed = 0;

  constructor(options: JetStreamParkerOptions) {
    this.options = options;
    this.memory = new ParkingMemory(options.memoryBytesMax);
  }

  attach(bus: Bus): void {
    this.bus = bus;
  }

  get isReachable(): boolean {
    return this.bus?.connected === true;
  }

  nextReference(): string {
    this.references++;
    return `${this.options.incarnation}-${this.references.toString(36)}`;
  }

  park(request: Parkable, body: Buffer, messagesMax: number, onResult: (result: number) => void): void {
    void this.store(request, body, messagesMax).then(onResult);
  }

  private async store(request: Parkable, body: Buffer, messagesMax: number): Promise<number> {
    const { bus } = this;
    const target = parseServiceKey(request.target);
    if (bus === null || target === undefined) return ParkResult.unreachable;
    const count = this.countOf(bus, target);
    if (count.messages >= messagesMax || this.unconfirmed >= unconfirmedMax) return ParkResult.full;
    count.messages++;
    this.unconfirmed++;
    const parked = encodeParked({ v: 1, ...request, from: this.options.from, parkedAtMs: Date.now() });
    const headers = { [parkedHeader]: parked, 'Nats-Msg-Id': request.reference };
    const result = await publishConfirmed(bus, streams.retrySubject(target), body, headers);
    this.unconfirmed--;
    return results[result];
  }

  private countOf(bus: Bus, name: ServiceName): Count {
    const target = serviceKey(name);
    let count = this.counts.get(target);
    if (count === undefined) {
      count = { messages: 0, askedAtMs: Number.NEGATIVE_INFINITY };
      this.counts.set(target, count);
    }
    const nowMs = performance.now();
    if (nowMs - count.askedAtMs >= countEveryMs) {
      count.askedAtMs = nowMs;
      // What cannot be counted is bounded by the stream.
      void messagesIn(bus, streams.retry, streams.retrySubject(name)).then(
        (messages) => {
          count.messages = messages;
        },
        () => undefined,
      );
    }
    return count;
  }
}
