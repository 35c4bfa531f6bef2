/**
 * Who holds how many permits of one concurrency limit, who waits for one, and who is next: the numbers behind Admission,
 * in memory that the threads sharing the limit have in common. Each thread has a seat with a queue of its own; the ledger
 * only knows of it how many wait in each tier, how many bytes they hold, and since when the oldest of each tier waits. A
 * free permit is granted to the seat whose next waiter is of the most important tier, and among those to the one whose
 * oldest has waited longest, whoever returned it: no thread starves beside a busier one.
 *
 *   permits = Σ seats (held + granted) ≤ limit        granted: given to a seat that has not yet looked
 *
 * Every permit that is handed out takes a credit of the app's first, where the app counts what it gets.
 *
 * Callers hold the lock around every change, and never while they call back. In one thread there is none to hold.
 */

import { lockBytes, lockOf, type SharedLock } from '../../proto/kernel/shared-lock.ts';
import { tierCount } from '../../proto/tiers.ts';
import type { DeliveryCredit } from './delivery-credit.ts';
import { ownerOf, type Seat } from './seat.ts';

const permits = 0;
const queued = 1;
const queuedBytes = 2;
const isBusy = 3;
const busySince = 4;
const isPaceKnown = 5;
const pace = 6;
const isServiceKnown = 7;
const service = 8;
const seatsBegin = 9;
/** For each seat. */
const held = 0;
const granted = 1;
const waiting = 2;
const bytes = 3;
/** For each tier of it. */
const waitingInTier = 4;
const oldestInTier = waitingInTier + tierCount;
const perSeat = oldestInTier + tierCount;

/** Of a sample in the pace at which permits come back while every one is taken. */
const paceWeight = 1 / 32;
/** Of a sample in the service time, which one long stream must not move: it counts as this many times the usual. */
const serviceWeight = 1 / 32;
const serviceOutlier = 4;

export class PermitLedger {
  private readonly seat: Seat;
  private readonly lock: SharedLock | null;
  private readonly cells: Float64Array;
  /** Where the own seat's numbers begin; an overseer has none. */
  private readonly own: number;
  private readonly toWake: number[] = [];
  private readonly delivery: DeliveryCredit | null;
  /** Off: what it grants is not what the app gets. */
  takesCredit = true;

  static bytesFor(seats: number): number {
    return lockBytes + 8 * (seatsBegin + seats * perSeat);
  }

  /** `memory` zeroed, or that of another thread's ledger: then it is the same ledger. */
  constructor(
    seat: Seat,
    memory: ArrayBufferLike = new ArrayBuffer(PermitLedger.bytesFor(seat.count)),
    delivery: DeliveryCredit | null = null,
  ) {
    this.seat = seat;
    this.delivery = delivery;
    this.lock = lockOf(memory, ownerOf(seat));
    this.cells = new Float64Array(memory, lockBytes, seatsBegin + seat.count * perSeat);
    this.own = seat.index < 0 ? -1 : seatsBegin + seat.index * perSeat;
  }

  // ── What may be read at any time ────────────────────────────────────────────────────────────────────────────────

  get permits(): number {
    return this.cells[permits]!;
  }

  get queued(): number {
    return this.cells[queued]!;
  }

  get queuedBytes(): number {
    return this.cells[queuedBytes]!;
  }

  /** Since the last permit came back, or all were taken; NaN while one is free. */
  get busySinceMs(): number {
    return this.cells[isBusy] === 1 ? this.cells[busySince]! : Number.NaN;
  }

  /** Time between two returns while every permit was taken, smoothed; NaN when none was seen. */
  get paceMs(): number {
    return this.cells[isPaceKnown] === 1 ? this.cells[pace]! : Number.NaN;
  }

  /** How long a permit is held, smoothed; NaN when none has come back. */
  get serviceMs(): number {
    return this.cells[isServiceKnown] === 1 ? this.cells[service]! : Number.NaN;
  }

  get heldHere(): number {
    return this.cells[this.own + held]!;
  }

  get grantedHere(): number {
    return this.own < 0 ? 0 : this.cells[this.own + granted]!;
  }

  // ── The lock ────────────────────────────────────────────────────────────────────────────────────────────────────

  enter(): void {
    if (this.lock !== null) this.lock.acquire();
  }

  /** Lets go, then wakes the seats that were granted something. */
  exit(): void {
    if (this.lock !== null) this.lock.release();
    while (this.toWake.length > 0) this.seat.wake(this.toWake.pop()!);
  }

  // ── Changes, inside the lock ────────────────────────────────────────────────────────────────────────────────────

  /** Takes a permit, if one is free and the app wants another request. */
  tryTake(limit: number, nowMs: number): boolean {
    if (this.permits >= limit || !this.appWantsMore()) return false;
    this.take(limit, nowMs);
    return true;
  }

  take(limit: number, nowMs: number): void {
    this.cells[this.own + held]! += 1;
    this.count(limit, nowMs);
  }

  /** A permit held here, for `heldMs` when that is known, comes back, and is granted to whoever is next. */
  giveBack(limit: number, nowMs: number, heldMs: number): void {
    const { cells } = this;
    if (heldMs > 0) this.learnService(heldMs);
    cells[permits]! -= 1;
    cells[this.own + held]! -= 1;
    if (cells[isBusy] === 1) {
      const sampleMs = Math.max(0, nowMs - cells[busySince]!);
      cells[pace] = cells[isPaceKnown] === 1 ? cells[pace]! + (sampleMs - cells[pace]!) * paceWeight : sampleMs;
      cells[isPaceKnown] = 1;
      this.judgeBusy(limit, nowMs);
      if (cells[isBusy] === 1) cells[busySince] = nowMs;
    }
    this.handOut(limit, nowMs);
  }

  /** What was granted here becomes held; false when nothing was. */
  accept(): boolean {
    const { cells, own } = this;
    if (this.grantedHere === 0) return false;
    cells[own + granted]! -= 1;
    cells[own + held]! += 1;
    return true;
  }

  enqueue(size: number, tier: number, oldestEnteredMs: number): void {
    this.countWaiting(1, size, tier, oldestEnteredMs);
  }

  /** One waits no longer. */
  dequeue(size: number, tier: number, oldestEnteredMs: number): void {
    this.countWaiting(-1, -size, tier, oldestEnteredMs);
  }

  /** After the last dequeue(): permits granted here for more than still wait go to others. */
  passOn(limit: number, nowMs: number): void {
    const { cells, own } = this;
    const excess = cells[own + granted]! - cells[own + waiting]!;
    if (excess <= 0) return;
    cells[own + granted]! -= excess;
    cells[permits]! -= excess;
    if (this.takesCredit) for (let i = 0; i < excess; i++) this.delivery?.giveBack();
    this.judgeBusy(limit, nowMs);
    this.handOut(limit, nowMs);
  }

  /** The limit is another one now. */
  limitChanged(limit: number, nowMs: number): void {
    this.judgeBusy(limit, nowMs);
    this.handOut(limit, nowMs);
  }

  /** The thread at that seat is dead: what it held and who waited there is gone. */
  abandon(index: number, limit: number, nowMs: number): void {
    const { cells } = this;
    const at = seatsBegin + index * perSeat;
    cells.fill(0, at, at + perSeat);
    // Counted anew: it may have died in the middle of a change.
    cells[permits] = 0;
    cells[queued] = 0;
    cells[queuedBytes] = 0;
    for (let seat = seatsBegin; seat < cells.length; seat += perSeat) {
      cells[permits]! += cells[seat + held]! + cells[seat + granted]!;
      cells[queued]! += cells[seat + waiting]!;
      cells[queuedBytes]! += cells[seat + bytes]!;
    }
    this.limitChanged(limit, nowMs);
  }

  private count(limit: number, nowMs: number): void {
    const { cells } = this;
    cells[permits]! += 1;
    if (cells[permits]! < limit) return;
    cells[isBusy] = 1;
    cells[busySince] = nowMs;
  }

  private judgeBusy(limit: number, nowMs: number): void {
    const { cells } = this;
    if (cells[permits]! < limit) cells[isBusy] = 0;
    else if (cells[isBusy] === 0) {
      cells[isBusy] = 1;
      cells[busySince] = nowMs;
    }
  }

  private learnService(heldMs: number): void {
    const { cells } = this;
    if (cells[isServiceKnown] === 1) {
      const usual = cells[service]!;
      cells[service] = usual + (Math.min(heldMs, usual * serviceOutlier) - usual) * serviceWeight;
    } else cells[service] = heldMs;
    cells[isServiceKnown] = 1;
  }

  private countWaiting(waiters: number, size: number, tier: number, oldestEnteredMs: number): void {
    const { cells, own } = this;
    cells[queued]! += waiters;
    cells[queuedBytes]! += size;
    cells[own + waiting]! += waiters;
    cells[own + bytes]! += size;
    cells[own + waitingInTier + tier]! += waiters;
    cells[own + oldestInTier + tier] = oldestEnteredMs;
  }

  /** Grants free permits while somebody waits who has not been granted one. */
  private handOut(limit: number, nowMs: number): void {
    const { cells } = this;
    while (cells[queued]! > 0 && cells[permits]! < limit) {
      const next = this.nextSeat();
      if (next < 0 || !this.appWantsMore()) return;
      if (cells[next + granted] === 0 && next !== this.own) this.toWake.push((next - seatsBegin) / perSeat);
      cells[next + granted]! += 1;
      this.count(limit, nowMs);
    }
  }

  private appWantsMore(): boolean {
    return !this.takesCredit || this.takeCredit();
  }

  /** For one that goes to the app without a permit that was granted. False: the app wants no more. */
  takeCredit(): boolean {
    return this.delivery === null || this.delivery.tryTake();
  }

  private nextSeat(): number {
    const { cells } = this;
    let best = -1;
    let bestTier: number = tierCount;
    let bestMs = Number.POSITIVE_INFINITY;
    for (let seat = seatsBegin; seat < cells.length; seat += perSeat) {
      if (cells[seat + waiting]! <= cells[seat + granted]!) continue;
      const tier = this.nextTierOf(seat);
      const sinceMs = cells[seat + oldestInTier + tier]!;
      if (tier < bestTier || (tier === bestTier && sinceMs < bestMs)) {
        best = seat;
        bestTier = tier;
        bestMs = sinceMs;
      }
    }
    return best;
  }

  /** The tier of its next waiter, behind those that what it was granted already is for. */
  private nextTierOf(seat: number): number {
    const { cells } = this;
    let ahead = cells[seat + granted]!;
    let tier = 0;
    while (tier < tierCount - 1 && cells[seat + waitingInTier + tier]! <= ahead) {
      ahead -= cells[seat + waitingInTier + tier]!;
      tier++;
    }
    return tier;
  }
}
