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
 */
import { assert } from '../../proto/kernel/assert.ts';
import { Ewma } from '../../proto/kernel/ewma.ts';
import { Reason } from '../../proto/reasons.ts';
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
  private permitsTaken = 0;
  private admitting = false;
  /** Time between two completions while every permit was taken: the pace at which a queue drains. */
  private readonly completionInterval = new Ewma(1 / 32);
  /** The last completion under full load, or when full load began; NaN while a permit is free. */
  private busySinceMs = Number.NaN;

  constructor(settings: AdmissionSettings) {
    this.settings = settings;
  }

  get limit(): number {
    return this.settings.limit;
  }

  /** Permits taken; above the limit only after it was lowered. */
  get inFlight(): number {
    return this.permitsTaken;
  }

  get queued(): number {
    return this.queue.size;
  }

  get queuedBytes(): number {
    return this.queue.bytes;
  }

  /** Decision.admitted: the caller holds a permit. Decision.queued: the waiter will hear. Else a Reason code. */
  enter(waiter: Waiter, nowMs: number): number {
    if (this.permitsTaken < this.settings.limit && this.queue.size === 0) {
      this.take(nowMs);
      return Decision.admitted;
    }
    const bounds = this.settings.queue;
    if (bounds === null || this.queue.size >= bounds.requestsMax || this.queue.bytes + waiter.bytes > bounds.bytesMax) {
      return Reason.queueFull;
    }
    this.queue.push(waiter, nowMs);
    return Decision.queued;
  }

  /** Returns a permit, which admits the next waiter before this returns. */
  leave(nowMs: number): void {
    assert(this.permitsTaken > 0, 'a permit was returned that nobody held');
    this.permitsTaken--;
    if (!Number.isNaN(this.busySinceMs)) {
      this.completionInterval.update(Math.max(0, nowMs - this.busySinceMs));
      this.busySinceMs = this.permitsTaken < this.settings.limit ? Number.NaN : nowMs;
    }
    if (this.queue.size > 0) this.admitWaiters(nowMs);
  }

  /** A waiter went away: true when it was queued, and then it hears no more. */
  cancel(waiter: Waiter): boolean {
    return this.queue.remove(waiter);
  }

  /** Refuses those that have waited for waitMaxMs; the oldest are first, so it costs only what it refuses. */
  expire(nowMs: number): void {
    while (this.isOldestOverdue(nowMs)) this.queue.takeOldest()!.onRefused(Reason.queueTimeout, nowMs);
  }

  /**
   * Permits in flight stay as they are: a lower limit drains down, a higher one admits at once. Waiters beyond the new
   * bounds are refused, the newest first, since the oldest are the nearest to being served.
   */
  reconfigure(settings: AdmissionSettings, nowMs: number): void {
    this.settings = settings;
    if (this.permitsTaken < settings.limit) this.busySinceMs = Number.NaN;
    else if (Number.isNaN(this.busySinceMs)) this.busySinceMs = nowMs;
    this.admitWaiters(nowMs);
    while (this.queue.size > 0 && this.isQueueOverBounds()) {
      this.queue.takeNewest()!.onRefused(Reason.queueFull, nowMs);
    }
  }

  /**
   * In how many ms a refused caller would find room: everybody who waits now, and one more, at the pace at which
   * requests ended lately; when nothing has ended for longer than usual, that silence on top.
   */
  retryAfterMs(nowMs: number): number {
    if (!this.completionInterval.hasValue()) return retryAfterUnknownMs;
    const intervalMs = this.completionInterval.value;
    const ahead = this.queue.size + 1 + Math.max(0, this.permitsTaken - this.settings.limit);
    const silentMs = Number.isNaN(this.busySinceMs) ? 0 : Math.max(0, nowMs - this.busySinceMs - intervalMs);
    return Math.min(retryAfterMaxMs, Math.max(1, Math.ceil(ahead * intervalMs + silentMs)));
  }

  private take(nowMs: number): void {
    this.permitsTaken++;
    if (this.permitsTaken >= this.settings.limit) this.busySinceMs = nowMs;
  }

  /** A waiter may finish, enter or cancel inside its callback; then the outermost loop goes on, and nothing recurses. */
  private admitWaiters(nowMs: number): void {
    if (this.admitting) return;
    this.admitting = true;
    try {
      while (this.queue.size > 0 && this.permitsTaken < this.settings.limit) {
        const overdue = this.isOldestOverdue(nowMs);
        const waiter = this.queue.takeOldest()!;
        if (overdue) {
          waiter.onRefused(Reason.queueTimeout, nowMs);
        } else {
          this.take(nowMs);
          waiter.onAdmitted(nowMs);
        }
      }
    } finally {
      this.admitting = false;
    }
  }

  private isOldestOverdue(nowMs: number): boolean {
    const bounds = this.settings.queue;
    return bounds !== null && nowMs - this.queue.oldestEnteredMs() >= bounds.waitMaxMs;
  }

  private isQueueOverBounds(): boolean {
    const bounds = this.settings.queue;
    return bounds === null || this.queue.size > bounds.requestsMax || this.queue.bytes > bounds.bytesMax;
  }
}
