/**
 * When a queue has too much, and what follows. After Facebook's "Fail at Scale" (2015): a queue that was empty at some
 * time in the last 100 ms is a burst and everybody may wait; one that was not is a standing queue, in which waiting only
 * makes everybody late. Then a wait longer than about two service times ends, and the newest go first, who can still be
 * answered in time. Judged for each tier: that the unimportant pile up says nothing about the important. And for each tenant
 * in it: one that has little waiting beside the one that has most does not pay for what that one piles up.
 */
import { Reason } from '../../proto/reasons.ts';
import { none } from './linked-lists.ts';
import type { PermitLedger } from './permit-ledger.ts';
import type { QueueSettings } from './queue-settings.ts';
import type { WaitQueue } from './wait-queue.ts';
import type { Waiter } from './waiter.ts';

/** In service times: the longest wait in a standing queue. */
const targetServices = 2;
/** Where important users go first, only the least important wait: they may so much longer, and the queue never runs dry. */
const byLevelPatience = 4;
/** A tenant has little waiting when another has this many times as much. */
const smallShare = 2;

export class Discipline {
  /** null: nobody waits, or whoever still does waits for a permit and nothing else. */
  settings: QueueSettings | null;
  private readonly queue: WaitQueue;
  private readonly ledger: PermitLedger;

  constructor(settings: QueueSettings | null, queue: WaitQueue, ledger: PermitLedger) {
    this.settings = settings;
    this.queue = queue;
    this.ledger = ledger;
  }

  /** Whether the newest of that flow are served first now, so that its oldest will not be. */
  newestFirst(flow: number, nowMs: number): boolean {
    const { settings } = this;
    return settings?.adaptiveLifo === true && !settings.byUserLevel && this.isFlowStanding(settings, flow, nowMs);
  }

  /** The same for one who comes: of its flow, or when it will begin one, of its tier. */
  newestFirstFor(tier: number, tenant: string, nowMs: number): boolean {
    const { settings } = this;
    if (settings?.adaptiveLifo !== true) return false;
    const flow = this.queue.flows.find(tier, tenant);
    return flow === none || this.queue.flows.sizeOf(flow) === 0
      ? this.isTierStanding(settings, tier, nowMs)
      : this.isFlowStanding(settings, flow, nowMs);
  }

  /** Why one who waits need not wait any longer; none when it may. */
  verdictOn(waiter: Waiter, nowMs: number): number {
    const { settings, queue } = this;
    if (settings === null) return Reason.none;
    const waitedMs = nowMs - queue.enteredMsOf(waiter);
    if (waitedMs >= settings.waitMaxMs) return Reason.queueTimeout;
    if (waitedMs >= this.waitLimitMs(settings, queue.flowOf(waiter), nowMs)) return Reason.queueShed;
    return this.isUnreachable(waiter, nowMs) ? Reason.deadlineUnreachable : Reason.none;
  }

  /** Whether its deadline comes before an answer usually would, were it served at once. */
  isUnreachable(waiter: Waiter, nowMs: number): boolean {
    if (waiter.deadlineMs === 0 || this.settings?.deadlineMargin !== true) return false;
    const leftMs = waiter.deadlineMs - nowMs;
    return leftMs <= 0 || leftMs < this.ledger.serviceMs;
  }

  private isTierStanding(settings: QueueSettings, tier: number, nowMs: number): boolean {
    return this.queue.countOf(tier) > 0 && nowMs - this.queue.busySinceMs(tier) >= settings.intervalMs;
  }

  private isFlowStanding(settings: QueueSettings, flow: number, nowMs: number): boolean {
    return nowMs - this.queue.flows.busySinceMs(flow) >= settings.intervalMs;
  }

  private waitLimitMs(settings: QueueSettings, flow: number, nowMs: number): number {
    const { targetMs, waitMaxMs } = settings;
    const { serviceMs } = this.ledger;
    if (targetMs === 0 || Number.isNaN(serviceMs) || !this.hasTooMuch(settings, flow, nowMs)) return waitMaxMs;
    const patience = settings.byUserLevel ? byLevelPatience : 1;
    return Math.min(waitMaxMs, patience * Math.max(targetMs, targetServices * serviceMs));
  }

  private hasTooMuch(settings: QueueSettings, flow: number, nowMs: number): boolean {
    const { flows } = this.queue;
    const tier = flows.tierOf(flow);
    if (!this.isTierStanding(settings, tier, nowMs)) return false;
    const isSmall = flows.sizeOf(flow) * smallShare <= flows.sizeOf(flows.largest(tier));
    return !isSmall || this.isFlowStanding(settings, flow, nowMs);
  }
}
