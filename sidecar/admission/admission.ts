/**
 * The concurrency limit of a service and the short queue in front of it. The queue is here and not in the app, because
 * here it is bounded three ways (requests, bytes, wait), ordered, and a request that nobody waits for any longer can be
 * taken out of it.
 *
 *   enter ──free permit──────────────────► in flight ──leave──► done
 *     │ none free                              ▲
 *     ├─room in the queue──► queued ───────────┘ permit returned
 *     │                        ├──expire──► queue_timeout
 *     └─full, or no queue      └──cancel──► gone
 *          ► queue_full
 *
 * Threads that share a limit share the ledger of its permits (permit-ledger.ts); each has its own queue, and the bounds
 * hold for all queues together.
 */
import { assert } from '../../proto/kernel/assert.ts';
import { Reason } from '../../proto/reasons.ts';
import { PermitLedger } from './permit-ledger.ts';
import { alone, type Seat } from './seat.ts';
import { type Waiter, WaitQueue } from './wait-queue.ts';

export type { Waiter } from './wait-queue.ts';

/** What enter() answers beside a Reason code (> 0). */
export const Decision = { admitted: 0, queued: -1 } as const;

export interface QueueSettings {
  readonly requestsMax: number;
  readonly bytesMax: number;
  readonly waitMaxMs: number;
}

export interface AdmissionSettings {
  /** Requests in flight at once. */
  readonly limit: number;
  readonly queue: QueueSettings | null;
}

/** Before anything has been measured. */
const retryAfterUnknownMs = 1000;
const retryAfterMaxMs = 10_000;

export class Admission {
  private settings: AdmissionSettings;
  private readonly queue = new WaitQueue();
  private readonly ledger: PermitLedger;
  private admitting = false;

  /** With `memory`, the limit is shared by all who have the same. */
  constructor(settings: AdmissionSettings, seat: Seat = alone, memory?: ArrayBufferLike) {
    this.settings = settings;
    this.ledger = new PermitLedger(seat, memory);
  }

  get limit(): number {
    return this.settings.limit;
  }

  /** Permits taken; above the limit only after it was lowered. */
  get inFlight(): number {
    return this.ledger.permits;
  }

  get queued(): number {
    return this.ledger.queued;
  }

  get queuedBytes(): number {
    return this.ledger.queuedBytes;
  }

  /** Whether this thread's part needs expire(): somebody waits here. */
  get isWaiting(): boolean {
    return this.queue.size > 0;
  }

  /** Decision.admitted: the caller holds a permit. Decision.queued: the waiter will hear. Else a Reason code. */
  enter(waiter: Waiter, nowMs: number): number {
    const { ledger } = this;
    ledger.enter();
    const decision = this.decide(waiter, nowMs);
    ledger.exit();
    return decision;
  }

  /** Returns a permit, which admits the next waiter before this returns, or wakes the thread where that one waits. */
  leave(nowMs: number): void {
    const { ledger } = this;
    assert(ledger.heldHere > 0, 'a permit was returned that nobody held');
    ledger.enter();
    ledger.giveBack(this.settings.limit, nowMs);
    ledger.exit();
    if (this.queue.size > 0) this.admitGranted(nowMs);
  }

  /** A waiter went away: true when it was queued, and then it hears no more. */
  cancel(waiter: Waiter, nowMs: number): boolean {
    this.ledger.enter();
    const wasQueued = this.queue.remove(waiter);
    if (wasQueued) this.dequeued(waiter, nowMs);
    this.ledger.exit();
    return wasQueued;
  }

  /** Refuses those that have waited for waitMaxMs; the oldest are first, so it costs only what it refuses. */
  expire(nowMs: number): void {
    if (this.ledger.grantedHere > 0) this.admitGranted(nowMs);
    while (this.isOldestOverdue(nowMs)) this.takeOut(true, nowMs).onRefused(Reason.queueTimeout, nowMs);
  }

  /** Another thread granted permits to this one. */
  onGranted(nowMs: number): void {
    this.admitGranted(nowMs);
  }

  /** The thread at that seat is dead: its permits go to others. */
  abandon(seat: number, nowMs: number): void {
    this.ledger.enter();
    this.ledger.abandon(seat, this.settings.limit, nowMs);
    this.ledger.exit();
  }

  /**
   * Permits in flight stay as they are: a lower limit drains down, a higher one admits at once. Waiters beyond the new
   * bounds are refused, the newest first, since the oldest are the nearest to being served.
   */
  reconfigure(settings: AdmissionSettings, nowMs: number): void {
    this.settings = settings;
    this.ledger.enter();
    this.ledger.limitChanged(settings.limit, nowMs);
    this.ledger.exit();
    this.admitGranted(nowMs);
    while (this.queue.size > 0 && this.isQueueOverBounds()) {
      this.takeOut(false, nowMs).onRefused(Reason.queueFull, nowMs);
    }
  }

  /**
   * In how many ms a refused caller would find room: everybody who waits now, and one more, at the pace at which
   * requests ended lately; when nothing has ended for longer than usual, that silence on top.
   */
  retryAfterMs(nowMs: number): number {
    const { paceMs, busySinceMs, queued, permits } = this.ledger;
    if (Number.isNaN(paceMs)) return retryAfterUnknownMs;
    const ahead = queued + 1 + Math.max(0, permits - this.settings.limit);
    const silentMs = Number.isNaN(busySinceMs) ? 0 : Math.max(0, nowMs - busySinceMs - paceMs);
    return Math.min(retryAfterMaxMs, Math.max(1, Math.ceil(ahead * paceMs + silentMs)));
  }

  /** Inside the lock. */
  private decide(waiter: Waiter, nowMs: number): number {
    const { ledger, queue, settings } = this;
    // While a permit is free, everybody who waits has been granted one: nobody is overtaken.
    if (ledger.permits < settings.limit) {
      ledger.take(settings.limit, nowMs);
      return Decision.admitted;
    }
    const bounds = settings.queue;
    if (bounds === null || ledger.queued >= bounds.requestsMax || ledger.queuedBytes + waiter.bytes > bounds.bytesMax) {
      return Reason.queueFull;
    }
    queue.push(waiter, nowMs);
    ledger.enqueue(waiter.bytes, queue.oldestEnteredMs());
    return Decision.queued;
  }

  /** A waiter may finish, enter or cancel inside its callback; then the outermost loop goes on, and nothing recurses. */
  private admitGranted(nowMs: number): void {
    if (this.admitting) return;
    this.admitting = true;
    try {
      while (this.ledger.grantedHere > 0) {
        if (this.isOldestOverdue(nowMs)) {
          this.takeOut(true, nowMs).onRefused(Reason.queueTimeout, nowMs);
        } else {
          this.ledger.enter();
          this.ledger.accept();
          const waiter = this.queue.takeOldest()!;
          this.dequeued(waiter, nowMs);
          this.ledger.exit();
          waiter.onAdmitted(nowMs);
        }
      }
    } finally {
      this.admitting = false;
    }
  }

  /** The oldest or the newest leaves the queue without a permit. */
  private takeOut(oldest: boolean, nowMs: number): Waiter {
    this.ledger.enter();
    const waiter = (oldest ? this.queue.takeOldest() : this.queue.takeNewest())!;
    this.dequeued(waiter, nowMs);
    this.ledger.exit();
    return waiter;
  }

  private dequeued(waiter: Waiter, nowMs: number): void {
    this.ledger.dequeue(waiter.bytes, this.queue.oldestEnteredMs(), this.settings.limit, nowMs);
  }

  private isOldestOverdue(nowMs: number): boolean {
    const bounds = this.settings.queue;
    return bounds !== null && nowMs - this.queue.oldestEnteredMs() >= bounds.waitMaxMs;
  }

  private isQueueOverBounds(): boolean {
    const bounds = this.settings.queue;
    const { queued, queuedBytes } = this.ledger;
    return bounds === null || queued > bounds.requestsMax || queuedBytes > bounds.bytesMax;
  }
}
