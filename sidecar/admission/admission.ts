/**
 * The concurrency limit of a service and the short queue in front of it. The queue is here and not in the app, because
 * here it is bounded three ways (requests, bytes, wait), ordered, and a request that nobody waits for any longer can be
 * taken out of it.
 *
 *   enter ──free permit──────────────────► in flight ──leave──► done
 *     │ none free                              ▲
 *     ├─room in the queue──► queued ───────────┘ permit returned: its turn by tier, tenant, age
 *     │                        ├──waited waitMax───────────────► queue_timeout
 *     │                        ├──waited too long for overload─► queue_shed
 *     │                        ├──too little time left─────────► deadline_unreachable
 *     │                        ├──somebody had to go───────────► evicted
 *     │                        └──cancel──► gone
 *     └─full, or no queue ► queue_full
 *
 * What the queue orders by, and when it gives up on whom, is chosen part by part in queue-settings.ts and decided in
 * discipline.ts. Threads that share a limit share the ledger of its permits (permit-ledger.ts); each has its own queue
 * with an order and an overload of its own. The bounds hold for all queues together; a thread evicts from its own.
 */

import { assert } from '../../proto/kernel/assert.ts';
import { type Random, XorShift32 } from '../../proto/kernel/random.ts';
import { Reason } from '../../proto/reasons.ts';
import { Tier, tierCount } from '../../proto/tiers.ts';
import { type AdmissionSettings, algorithmOf, isSameLimit } from './admission-settings.ts';
import type { ConcurrencyLimit } from './concurrency/concurrency-limit.ts';
import type { DeliveryCredit } from './delivery-credit.ts';
import { Discipline } from './discipline.ts';
import { Eviction, type Newcomer } from './eviction.ts';
import { PermitLedger } from './permit-ledger.ts';
import type { QueueSettings } from './queue-settings.ts';
import { alone, ownerOf, type Seat } from './seat.ts';
import { StreamSeats } from './stream-seats.ts';
import { WaitQueue } from './wait-queue.ts';
import type { Waiter } from './waiter.ts';

export type { AdmissionSettings } from './admission-settings.ts';
export type { QueueSettings } from './queue-settings.ts';
export type { Waiter } from './waiter.ts';

/** What enter() answers beside a Reason code (> 0). */
export const Decision = { admitted: 0, queued: -1 } as const;

/** Who else has part in it, and where it keeps its numbers. */
export interface AdmissionOptions {
  /** Of the thread among those that share the limit; default: there is no other. */
  readonly seat?: Seat;
  /** `bytesFor(seats)`, zeroed, or that of the threads with whom the limit is shared. */
  readonly memory?: ArrayBufferLike | undefined;
  /** Picks whom a full queue drops, if it is asked to. */
  readonly random?: Random | undefined;
  /** Of the algorithm that finds the limit. */
  readonly cells?: Float64Array | undefined;
  /** How many requests the app wants; null: as many as come. */
  readonly delivery?: DeliveryCredit | null;
}

/** Before anything has been measured. */
const retryAfterUnknownMs = 1000;
const retryAfterMaxMs = 10_000;

export class Admission {
  private settings: AdmissionSettings;
  private readonly queue = new WaitQueue();
  private readonly ledger: PermitLedger;
  private readonly discipline: Discipline;
  private readonly eviction: Eviction;
  /** Out of the queue, and not yet told. */
  private readonly evicted: Waiter[] = [];
  /** Filled anew for each, so that a full queue allocates nothing. */
  private readonly newcomer: Newcomer = {
    tier: 0,
    tenant: '',
    excessRequests: 0,
    excessBytes: 0,
    userLevel: 0,
    newestFirst: false,
  };
  private admitting = false;
  private readonly streams: StreamSeats;
  private algorithm: ConcurrencyLimit;

  static bytesFor(seats: number): number {
    return PermitLedger.bytesFor(seats) + StreamSeats.bytesFor(seats);
  }

  constructor(settings: AdmissionSettings, options: AdmissionOptions = {}) {
    const { seat = alone, cells, delivery = null } = options;
    const { memory = new ArrayBuffer(Admission.bytesFor(seat.count)), random = new XorShift32(ownerOf(seat)) } =
      options;
    this.settings = settings;
    this.algorithm = algorithmOf(settings, cells);
    this.streams = new StreamSeats(seat, memory, PermitLedger.bytesFor(seat.count));
    this.ledger = new PermitLedger(seat, memory, delivery);
    this.discipline = new Discipline(settings.queue, this.queue, this.ledger);
    this.eviction = new Eviction(this.queue, random);
    this.obeySettings();
  }

  get limit(): number {
    return this.algorithm.limit();
  }

  /** What answers take while the app is not kept waiting, as far as it is known; 0 = it is not. */
  get baseRttMs(): number {
    return this.algorithm.baseRttMs;
  }

  get isShadow(): boolean {
    return this.settings.shadow === true;
  }

  get abandonAfterMs(): number {
    return this.isShadow ? 0 : (this.settings.abandonAfterMs ?? 0);
  }

  /** Long streams that gave their permits back. */
  get longStreams(): number {
    return this.streams.taken;
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

  /** How long a request holds its permit, smoothed; NaN before the first. */
  get serviceMs(): number {
    return this.ledger.serviceMs;
  }

  /** Requests that there is room for: in the app, in the queue, and as the long streams that there are. In shadow everybody. */
  get room(): number {
    const { queue, shadow } = this.settings;
    if (shadow === true) return Number.POSITIVE_INFINITY;
    return this.limit + (queue === null ? 0 : queue.requestsMax) + this.longStreams;
  }

  /** Whether this thread's part needs expire(): somebody waits here. */
  get isWaiting(): boolean {
    return this.queue.size > 0;
  }

  /** Decision.admitted: the caller holds a permit. Decision.queued: the waiter will hear. Else a Reason code. */
  enter(waiter: Waiter, nowMs: number): number {
    const { ledger, evicted } = this;
    const from = evicted.length;
    ledger.enter();
    const decision = this.decide(waiter, nowMs);
    ledger.exit();
    // Whoever is told may enter or leave itself, which evicts others and tells them before this goes on.
    while (evicted.length > from) evicted.pop()!.onRefused(Reason.evicted, nowMs);
    return decision;
  }

  /**
   * Returns a permit, held for `heldMs` when that says something of how long requests take (0: it does not). It admits
   * the next waiter before this returns, or wakes the thread where that one waits.
   */
  leave(nowMs: number, heldMs = 0): void {
    const { ledger } = this;
    assert(ledger.heldHere > 0, 'a permit was returned that nobody held');
    ledger.enter();
    ledger.giveBack(this.limit, nowMs, heldMs);
    ledger.exit();
    if (this.queue.size > 0) this.admitGranted(nowMs);
  }

  /** What a request's time in the app says about the limit; before its permit comes back. See ConcurrencyLimit.onSample. */
  sample(rttMs: number, isDrop: boolean, nowMs: number): void {
    if (this.settings.algorithm === undefined) return;
    const { ledger, algorithm } = this;
    ledger.enter();
    const before = algorithm.limit();
    algorithm.onSample(nowMs, rttMs, Math.max(1, ledger.permits), isDrop);
    if (algorithm.limit() !== before) ledger.limitChanged(algorithm.limit(), nowMs);
    ledger.exit();
    if (this.queue.size > 0) this.admitGranted(nowMs);
  }

  /** A long stream takes a place beside the limit, and owes one leaveStreams(); false when there is none. */
  enterStreams(): boolean {
    return this.streams.take(this.settings.streamsMax ?? 0);
  }

  leaveStreams(): void {
    this.streams.giveBack();
  }

  /** A waiter went away: true when it was queued, and then it hears no more. */
  cancel(waiter: Waiter, nowMs: number): boolean {
    if (!this.queue.has(waiter)) return false;
    this.takeOut(waiter, nowMs);
    return true;
  }

  /** Refuses those that have waited too long; the oldest of each tier are first, so it costs only what it refuses. */
  expire(nowMs: number): void {
    if (this.ledger.grantedHere > 0) this.admitGranted(nowMs);
    for (let tier = 0; tier < tierCount; tier++) {
      while (this.queue.countOf(tier) > 0 && this.refuseIfHopeless(this.queue.oldestOf(tier), nowMs));
    }
  }

  /** The app wants more than it did. */
  onCredit(nowMs: number): void {
    this.ledger.enter();
    this.ledger.limitChanged(this.limit, nowMs);
    this.ledger.exit();
    this.admitGranted(nowMs);
  }

  /** Another thread granted permits to this one. */
  onGranted(nowMs: number): void {
    this.admitGranted(nowMs);
  }

  /** The thread at that seat is dead: its permits go to others. */
  abandon(seat: number, nowMs: number): void {
    this.ledger.enter();
    this.streams.abandon(seat);
    this.ledger.abandon(seat, this.limit, nowMs);
    this.ledger.exit();
  }

  /**
   * Permits in flight stay as they are: a lower limit drains down, a higher one admits at once. Waiters keep the tier and
   * the turn that they got. Those beyond the new bounds are refused, of the least important tier the newest first, since
   * the oldest are the nearest to being served. Into shadow and out of it everybody who waits gets a permit, beyond the
   * limit if need be: in the one case they need not wait any longer (or are refused, if the app wants no more), in the other
   * they never did. An algorithm with the same settings keeps what it knows; another one begins from the limit that was
   * found.
   */
  reconfigure(settings: AdmissionSettings, nowMs: number, cells?: Float64Array): void {
    if (!isSameLimit(settings, this.settings)) this.algorithm = algorithmOf(settings, cells, this.learnedLimit());
    const letsIn = (settings.shadow ?? false) !== (this.settings.shadow ?? false);
    this.settings = settings;
    this.obeySettings();
    while (letsIn && this.queue.size > 0) this.letIn(this.queue.oldestOf(this.queue.firstTier()), nowMs);
    this.ledger.enter();
    this.ledger.limitChanged(this.limit, nowMs);
    this.ledger.exit();
    this.admitGranted(nowMs);
    while (this.queue.size > 0 && this.isQueueOverBounds()) {
      const waiter = this.queue.newestOf(this.queue.lastTier());
      this.takeOut(waiter, nowMs);
      waiter.onRefused(Reason.queueFull, nowMs);
    }
  }

  /**
   * In how many ms a refused caller would find room: everybody who waits now, and one more, at the pace at which
   * requests ended lately; when nothing has ended for longer than usual, that silence on top.
   */
  retryAfterMs(nowMs: number): number {
    const { paceMs, busySinceMs, queued, permits } = this.ledger;
    if (Number.isNaN(paceMs)) return retryAfterUnknownMs;
    const ahead = queued + 1 + Math.max(0, permits - this.limit);
    const silentMs = Number.isNaN(busySinceMs) ? 0 : Math.max(0, nowMs - busySinceMs - paceMs);
    return Math.min(retryAfterMaxMs, Math.max(1, Math.ceil(ahead * paceMs + silentMs)));
  }

  private learnedLimit(): number {
    return this.settings.algorithm === undefined ? 0 : this.limit;
  }

  private obeySettings(): void {
    const bounds = this.settings.queue;
    this.discipline.settings = bounds;
    this.ledger.takesCredit = this.settings.shadow !== true;
    if (bounds === null) return;
    this.queue.flows.configure(bounds.tenantsMax, bounds.tenantWeights);
    this.queue.orderByLevel(bounds.byUserLevel);
  }

  /** Inside the lock. */
  private decide(waiter: Waiter, nowMs: number): number {
    const { ledger, settings, limit } = this;
    // While a permit is free, and the app wants more, everybody who waits has been granted one: nobody is overtaken.
    const bounds = settings.queue;
    if (ledger.tryTake(limit, nowMs)) {
      if (bounds?.byUserLevel === true) this.queue.noteServed(tierOf(waiter), waiter.userLevel, nowMs);
      return Decision.admitted;
    }
    if (bounds === null) return ledger.permits < limit ? Reason.paused : Reason.queueFull;
    if (waiter.bytes > bounds.bytesMax) return Reason.queueFull;
    if (this.discipline.isUnreachable(waiter, nowMs)) return Reason.deadlineUnreachable;
    const tier = bounds.priority ? tierOf(waiter) : Tier.normal;
    const from = this.evicted.length;
    if (ledger.queued >= bounds.requestsMax || ledger.queuedBytes + waiter.bytes > bounds.bytesMax) {
      this.chooseEvicted(bounds, waiter, tier, nowMs);
      if (this.evicted.length === from) return Reason.queueFull;
    }
    this.queue.push(waiter, tier, nowMs);
    ledger.enqueue(waiter.bytes, tier, this.queue.oldestEnteredMs(tier));
    if (this.evicted.length > from) {
      for (let i = from; i < this.evicted.length; i++) this.dequeue(this.evicted[i]!);
      ledger.passOn(limit, nowMs);
    }
    return Decision.queued;
  }

  private chooseEvicted(bounds: QueueSettings, waiter: Waiter, tier: number, nowMs: number): void {
    const { newcomer, ledger } = this;
    newcomer.tier = tier;
    newcomer.tenant = waiter.tenant;
    newcomer.userLevel = this.queue.levelOf(waiter);
    newcomer.excessRequests = ledger.queued + 1 - bounds.requestsMax;
    newcomer.excessBytes = ledger.queuedBytes + waiter.bytes - bounds.bytesMax;
    newcomer.newestFirst = this.discipline.newestFirstFor(tier, waiter.tenant, nowMs);
    this.eviction.choose(bounds.whenFull, newcomer, this.evicted);
  }

  /** A waiter may finish, enter or cancel inside its callback; then the outermost loop goes on, and nothing recurses. */
  private admitGranted(nowMs: number): void {
    if (this.admitting) return;
    this.admitting = true;
    try {
      while (this.ledger.grantedHere > 0) {
        const tier = this.queue.firstTier();
        const waiter = this.queue.nextOf(tier, this.discipline.newestFirst(this.queue.flows.current(tier), nowMs));
        if (this.refuseIfHopeless(waiter, nowMs)) continue;
        this.ledger.enter();
        this.ledger.accept();
        this.queue.charge(waiter);
        this.dequeue(waiter);
        this.ledger.exit();
        waiter.onAdmitted(nowMs);
      }
    } finally {
      this.admitting = false;
    }
  }

  /** True when it was refused: it has waited too long, or could not be served in time. */
  private refuseIfHopeless(waiter: Waiter, nowMs: number): boolean {
    const verdict = this.discipline.verdictOn(waiter, nowMs);
    if (verdict === Reason.none) return false;
    this.takeOut(waiter, nowMs);
    waiter.onRefused(verdict, nowMs);
    return true;
  }

  /** It gets a permit whatever the limit says. In shadow it goes to the app with that, if the app wants it. */
  private letIn(waiter: Waiter, nowMs: number): void {
    const { ledger, settings } = this;
    ledger.enter();
    if (!ledger.accept()) {
      if (settings.shadow === true && !ledger.takeCredit()) {
        ledger.exit();
        this.takeOut(waiter, nowMs);
        return waiter.onRefused(Reason.paused, nowMs);
      }
      ledger.take(this.limit, nowMs);
    }
    this.dequeue(waiter);
    ledger.exit();
    waiter.onAdmitted(nowMs);
  }

  /** It leaves the queue without a permit. */
  private takeOut(waiter: Waiter, nowMs: number): void {
    this.ledger.enter();
    this.dequeue(waiter);
    this.ledger.passOn(this.limit, nowMs);
    this.ledger.exit();
  }

  private dequeue(waiter: Waiter): void {
    const tier = this.queue.tierOf(waiter);
    this.queue.remove(waiter);
    this.ledger.dequeue(waiter.bytes, tier, this.queue.oldestEnteredMs(tier));
  }

  private isQueueOverBounds(): boolean {
    const bounds = this.settings.queue;
    const { queued, queuedBytes } = this.ledger;
    return bounds === null || queued > bounds.requestsMax || queuedBytes > bounds.bytesMax;
  }
}

function tierOf(waiter: Waiter): number {
  return Math.min(tierCount - 1, Math.max(0, waiter.tier));
}
