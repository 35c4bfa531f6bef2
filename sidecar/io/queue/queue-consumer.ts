/**
 * Takes messages from a queue and has the app carry them out, no more at once than the app has room for:
 *
 *   pull (as many as there is room) ──▶ deliver ──▶ done ────────────▶ ack
 *                                          │    ├──▶ failed ─────────▶ again, later; too often: buried
 *                                          │    └──▶ not valid ──────▶ buried
 *                                          └──▶ no room: stays in hand, tried again after a rest
 *
 * A few more than the app has room for wait here, as the queue is a round trip away. One that fails never holds up
 * another: it goes back to the queue with its wait. What is in hand is bounded by the window; the queue hears at every
 * third of its patience that somebody still works on it.
 */
import type { Random } from '../../../proto/kernel/random.ts';
import type { DeathReason } from '../../../proto/parked.ts';
import type { DeliveryEnd } from '../../exchange/delivery.ts';
import { Verdict, verdictOf } from '../../resilience/delivery-verdict.ts';
import { DeliveryWindow, redeliveryDelayMs, windowDefaults } from '../../resilience/delivery-window.ts';
import type { DeliveryRequest } from './deliveries.ts';
import type { QueueMessage, QueueSource } from './queue-source.ts';

export interface Redelivering {
  readonly deliveriesMax: number;
  readonly baseMs: number;
  readonly maxMs: number;
}

/** What the messages of one kind of queue mean. */
export interface QueueHandler {
  /** What to ask the app, or why it cannot be asked. */
  requestOf(message: QueueMessage): DeliveryRequest | DeathReason;
  redelivering(message: QueueMessage): Redelivering;
  /** It will not be delivered any more. False: it could not be put away, and stays in the queue. */
  bury(message: QueueMessage, reason: DeathReason, end: DeliveryEnd | null): Promise<boolean>;
}

export interface QueueConsumerOptions {
  readonly source: QueueSource;
  readonly handler: QueueHandler;
  readonly deliver: (request: DeliveryRequest) => Promise<DeliveryEnd>;
  /** In the app's hands at once, at most; asked each time. */
  readonly limit: () => number;
  readonly inHandMax: number;
  /** Whether the app is well and wanted: else nothing is taken. */
  readonly isReady: () => boolean;
  readonly random: Random;
  readonly counts: QueueCounts;
}

/** Since the start. */
export interface QueueCounts {
  done: number;
  again: number;
  refused: number;
  /** Could not be put away. */
  unburied: number;
  readonly dead: Record<DeathReason, number>;
}

export function queueCounts(): QueueCounts {
  return {
    done: 0,
    again: 0,
    refused: 0,
    unburied: 0,
    dead: { unprocessable: 0, deliveries_spent: 0, expired: 0, undecodable: 0 },
  };
}

/** Of the window, how many more are here and wait for it. */
const aheadShare = 0.25;
/** When the app is not ready, or the queue could not be asked. */
const idleMs = 500;
/** Also while it is not known how long the queue waits. */
const busyEveryMaxMs = 1000;

export class QueueConsumer {
  private readonly options: QueueConsumerOptions;
  private readonly window: DeliveryWindow;
  private readonly inHand = new Set<QueueMessage>();
  /** In hand, and waiting for room. */
  private readonly waiting: QueueMessage[] = [];
  private busyTimer: NodeJS.Timeout | null = null;
  private timer: NodeJS.Timeout | null = null;
  private isPulling = false;
  private isClosed = false;

  constructor(options: QueueConsumerOptions) {
    this.options = options;
    this.window = new DeliveryWindow({ ...windowDefaults, sizeMax: options.inHandMax });
    const { source } = options;
    source.onMessage = (message) => this.onMessage(message);
    this.sayBusy();
    this.goOn();
  }

  get inHandCount(): number {
    return this.inHand.size;
  }

  /** What is in the app's hands is settled when it answers; the rest goes back at once. */
  close(): void {
    this.isClosed = true;
    if (this.busyTimer !== null) clearTimeout(this.busyTimer);
    if (this.timer !== null) clearTimeout(this.timer);
    for (const message of this.waiting.splice(0)) this.giveBack(message, 0);
    this.options.source.close();
  }

  private sayBusy(): void {
    for (const message of this.inHand) message.busy();
    const { ackWaitMs } = this.options.source;
    this.busyTimer = setTimeout(() => this.sayBusy(), Math.max(100, Math.min(busyEveryMaxMs, ackWaitMs / 3)));
  }

  private goOn(): void {
    if (this.isClosed) return;
    const nowMs = performance.now();
    if (!this.options.isReady()) return this.later(idleMs);
    const restMs = this.window.restMs(nowMs);
    if (restMs > 0) return this.later(Math.min(idleMs, restMs));
    const limit = this.options.limit();
    let room = this.roomFor(limit, nowMs);
    for (; room > 0 && this.waiting.length > 0; room--) void this.work(this.waiting.shift()!);
    // The queue is a round trip away: the next message is here before the app has room for it.
    const ahead = Math.ceil(Math.min(this.window.size, Math.max(1, limit)) * aheadShare);
    const count = room + ahead - this.waiting.length;
    if (count > 0 && !this.isPulling) void this.pull(count);
  }

  private roomFor(limit: number, nowMs: number): number {
    return this.window.room(this.inHand.size - this.waiting.length, limit, nowMs);
  }

  private later(ms: number): void {
    if (this.timer !== null) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.goOn();
    }, ms);
  }

  private async pull(count: number): Promise<void> {
    this.isPulling = true;
    const isAsked = await this.options.source.pull(count);
    this.isPulling = false;
    if (isAsked) this.goOn();
    else this.later(idleMs);
  }

  private onMessage(message: QueueMessage): void {
    const isRoom = this.waiting.length === 0 && this.roomFor(this.options.limit(), performance.now()) > 0;
    this.inHand.add(message);
    if (isRoom) void this.work(message);
    else this.waiting.push(message);
  }

  private async work(message: QueueMessage): Promise<void> {
    const { handler, deliver, counts } = this.options;
    const request = handler.requestOf(message);
    if (typeof request === 'string') await this.bury(message, request, null);
    // It was handed out again and nobody said why: whoever had it is gone, perhaps because of it.
    else if (message.deliveries > handler.redelivering(message).deliveriesMax) {
      await this.bury(message, 'deliveries_spent', null);
    } else {
      const end = await deliver(request);
      const nowMs = performance.now();
      const verdict = verdictOf(request.isGrpc, end.status, end.grpcStatus, end.reason);
      switch (verdict) {
        case Verdict.done:
          this.window.onAnswered();
          counts.done++;
          this.settle(message, () => message.ack());
          break;
        case Verdict.unprocessable:
          this.window.onAnswered();
          await this.bury(message, 'unprocessable', end);
          break;
        case Verdict.again:
          this.window.onFailed(nowMs);
          await this.fail(message, end);
          break;
        case Verdict.refused:
          this.window.onRefused(nowMs);
          counts.refused++;
          if (this.isClosed) this.giveBack(message, 0);
          else this.waiting.push(message);
      }
    }
    this.goOn();
  }

  private async fail(message: QueueMessage, end: DeliveryEnd): Promise<void> {
    const { handler, counts, random } = this.options;
    const { deliveriesMax, baseMs, maxMs } = handler.redelivering(message);
    if (message.deliveries >= deliveriesMax) return this.bury(message, 'deliveries_spent', end);
    counts.again++;
    this.giveBack(message, redeliveryDelayMs(message.deliveries, baseMs, maxMs, random.next()));
  }

  /** Put away first, then taken from the queue: between the two it may be in both, never in neither. */
  private async bury(message: QueueMessage, reason: DeathReason, end: DeliveryEnd | null): Promise<void> {
    const { handler, counts } = this.options;
    if (await handler.bury(message, reason, end)) {
      counts.dead[reason]++;
      this.settle(message, () => message.drop());
    } else {
      counts.unburied++;
      this.giveBack(message, handler.redelivering(message).maxMs);
    }
  }

  private giveBack(message: QueueMessage, delayMs: number): void {
    this.settle(message, () => message.again(delayMs));
  }

  private settle(message: QueueMessage, say: () => void): void {
    this.inHand.delete(message);
    say();
  }
}
