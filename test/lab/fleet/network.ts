/**
 * Messages between the nodes of a simulated fleet: late, lost, doubled and out of order, by a seed. NATS has sides: what is
 * on different sides does not hear each other, and a side may be cut off altogether.
 */
import type { Random } from '../../../proto/kernel/random.ts';
import type { Actor, EventQueue } from '../sim/event-queue.ts';

export interface NetworkFaults {
  readonly lossShare: number;
  readonly duplicateShare: number;
  readonly delayMinMs: number;
  readonly delayMaxMs: number;
  /** Of all messages, those that take up to ten times as long, so that others overtake them. */
  readonly slowShare: number;
}

export const calmNetwork: NetworkFaults = {
  lossShare: 0,
  duplicateShare: 0,
  delayMinMs: 0.3,
  delayMaxMs: 2,
  slowShare: 0,
};

export const roughNetwork: NetworkFaults = {
  lossShare: 0.01,
  duplicateShare: 0.01,
  delayMinMs: 0.3,
  delayMaxMs: 20,
  slowShare: 0.02,
};

/** A node that hears nobody. */
export const cutOff = -1;

export class Network implements Actor {
  faults: NetworkFaults;
  private readonly queue: EventQueue;
  private readonly random: Random;
  private readonly sides = new Map<string, number>();
  private readonly mail: ((nowMs: number) => void)[] = [];
  private readonly free: number[] = [];
  messages = 0;

  constructor(queue: EventQueue, random: Random, faults: NetworkFaults) {
    this.queue = queue;
    this.random = random;
    this.faults = faults;
  }

  move(node: string, side: number): void {
    this.sides.set(node, side);
  }

  sideOf(node: string): number {
    return this.sides.get(node) ?? 0;
  }

  isConnected(node: string): boolean {
    return this.sideOf(node) !== cutOff;
  }

  /** Both when it is sent and when it arrives there must be a way. */
  send(from: string, to: string, deliver: (nowMs: number) => void, nowMs: number): void {
    if (!this.reaches(from, to)) return;
    const { lossShare, duplicateShare } = this.faults;
    this.messages++;
    if (this.random.next() >= lossShare) this.post(from, to, deliver, nowMs);
    if (this.random.next() < duplicateShare) this.post(from, to, deliver, nowMs);
  }

  onEvent(slot: number, nowMs: number): void {
    const deliver = this.mail[slot]!;
    this.free.push(slot);
    deliver(nowMs);
  }

  private reaches(from: string, to: string): boolean {
    return this.sideOf(from) === this.sideOf(to) && this.isConnected(from);
  }

  private post(from: string, to: string, deliver: (nowMs: number) => void, nowMs: number): void {
    const { delayMinMs, delayMaxMs, slowShare } = this.faults;
    let delayMs = delayMinMs + (delayMaxMs - delayMinMs) * this.random.next();
    if (this.random.next() < slowShare) delayMs *= 10;
    const slot = this.free.pop() ?? this.mail.length;
    this.mail[slot] = (atMs) => {
      if (this.reaches(from, to)) deliver(atMs);
    };
    this.queue.schedule(nowMs + delayMs, this, slot);
  }
}
