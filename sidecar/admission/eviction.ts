/**
 * Who has to go when the queue is full: decides, and takes nobody out. All that go for one newcomer follow each other in
 * one order of the queue, and go only if that makes enough room, so that nobody is refused in vain.
 */

import type { Random } from '../../proto/kernel/random.ts';
import { tierCount } from '../../proto/tiers.ts';
import { none } from './linked-lists.ts';
import type { WhenFull } from './queue-settings.ts';
import type { WaitQueue } from './wait-queue.ts';
import type { Waiter } from './waiter.ts';

/** A newcomer that needs the room of more than this is refused itself: one large request is not worth so many. */
export const evictionsMax = 16;

const Way = { newerInTier: 0, backInFlow: 1, backInNewestFirst: 2, random: 3 } as const;

export interface Newcomer {
  tier: number;
  tenant: string;
  /** 0 where levels do not count. */
  userLevel: number;
  /** By which the queue would be above its bounds with it. */
  excessRequests: number;
  excessBytes: number;
  /** In its tier, the oldest will not be served any more. */
  newestFirst: boolean;
}

export class Eviction {
  private readonly queue: WaitQueue;
  private readonly random: Random;

  constructor(queue: WaitQueue, random: Random) {
    this.queue = queue;
    this.random = random;
  }

  /** Appends those who go to `into`; when it is the newcomer, nobody. */
  choose(whenFull: WhenFull, newcomer: Readonly<Newcomer>, into: Waiter[]): void {
    const { queue } = this;
    if (queue.size === 0) return;
    switch (whenFull) {
      case 'newest':
        return;
      case 'oldest':
        return this.collect(this.oldest(), Way.newerInTier, newcomer, into);
      case 'random': {
        const place = Math.floor(this.random.next() * (queue.size + 1));
        if (place < queue.size) this.collect(queue.at(place), Way.random, newcomer, into);
        return;
      }
      case 'lowestPriority':
        return this.leastImportant(newcomer, into);
    }
  }

  private leastImportant(newcomer: Readonly<Newcomer>, into: Waiter[]): void {
    const { queue } = this;
    const { flows } = queue;
    const tier = queue.lastTier();
    if (tier < newcomer.tier) return;
    const largest = flows.largest(tier);
    if (tier > newcomer.tier) {
      return this.collect(queue.lastInFlow(largest, false), Way.backInFlow, newcomer, into);
    }
    const own = flows.find(tier, newcomer.tenant);
    const ownSize = own === none ? 0 : flows.sizeOf(own);
    const isOfOthers = flows.sizeOf(largest) > ownSize + 1;
    // Of two tenants that have as many, neither gives way to the other.
    const flow = isOfOthers || ownSize === 0 ? largest : own;
    const { newestFirst, userLevel } = newcomer;
    const last = queue.lastInFlow(flow, newestFirst);
    if (last === null) return;
    const lead = queue.levelOf(last) - userLevel;
    if (!isOfOthers && (lead < 0 || (lead === 0 && !newestFirst))) return;
    this.collect(
      last,
      newestFirst ? Way.backInNewestFirst : Way.backInFlow,
      newcomer,
      into,
      isOfOthers ? 0 : userLevel,
    );
  }

  private oldest(): Waiter {
    const { queue } = this;
    let oldest = queue.firstTier();
    for (let tier = oldest + 1; tier < tierCount; tier++) {
      if (queue.oldestEnteredMs(tier) < queue.oldestEnteredMs(oldest)) oldest = tier;
    }
    return queue.oldestOf(oldest);
  }

  /** `levelMin`: nobody of a more important level than that goes. */
  private collect(first: Waiter | null, way: number, newcomer: Readonly<Newcomer>, into: Waiter[], levelMin = 0): void {
    const { queue } = this;
    const from = into.length;
    let { excessRequests, excessBytes } = newcomer;
    let waiter = first;
    for (let i = 0; i < evictionsMax && waiter !== null; i++) {
      if (levelMin > 0 && queue.levelOf(waiter) < levelMin) break;
      into.push(waiter);
      excessRequests--;
      excessBytes -= waiter.bytes;
      if (excessRequests <= 0 && excessBytes <= 0) return;
      waiter = this.next(waiter, way);
      if (waiter === first) break;
    }
    into.length = from;
  }

  private next(waiter: Waiter, way: number): Waiter | null {
    const { queue } = this;
    if (way === Way.newerInTier) return queue.newerInTier(waiter);
    if (way === Way.backInFlow) return queue.beforeInFlow(waiter, false);
    if (way === Way.backInNewestFirst) return queue.beforeInFlow(waiter, true);
    return queue.at((queue.placeOf(waiter) + 1) % queue.size);
  }
}
