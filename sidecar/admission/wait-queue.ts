/**
 * Those who wait behind a concurrency limit, in three orders at once: by turn (tier, then tenant, then as flow-lines.ts
 * has it), by
 * age within each tier, and in no order at all, for picking one at random. Entering, leaving from any of them and
 * cancelling are O(1), or O(tiers) where tiers are compared, and allocate nothing once the arrays have grown. A waiter
 * remembers its slot, which spares a map from waiters to places.
 *
 *   tier 0   flow of tenant a: ▪▪▪▪   flow of b: ▪          one list each, in the order in which they came
 *   tier 1   flow of nobody:   ▪▪
 */

import { assert } from '../../proto/kernel/assert.ts';
import { tierCount } from '../../proto/tiers.ts';
import { FlowLines } from './flow-lines.ts';
import { grown, LinkedLists, none } from './linked-lists.ts';
import { TenantFlows } from './tenant-flows.ts';
import type { Waiter } from './waiter.ts';

const initialSlots = 16;

export class WaitQueue {
  readonly flows = new TenantFlows();
  private waiters: (Waiter | null)[] = new Array<Waiter | null>(initialSlots).fill(null);
  private enteredMs = new Float64Array(initialSlots);
  private flowOfSlot = new Int32Array(initialSlots);
  private inFlow = new FlowLines(false, tierCount, initialSlots);
  /** One list a tier. */
  private readonly byAge = new LinkedLists(tierCount, initialSlots);
  /** Slots in use, one after the other, and where in it each stands. */
  private dense = new Int32Array(initialSlots);
  private places = new Int32Array(initialSlots);
  private readonly counts = new Int32Array(tierCount);
  private readonly busySince = new Float64Array(tierCount);
  private readonly free: number[] = [];
  private used = 0;
  private count = 0;
  /** Of the last that did not have to wait. */
  private directTier = none;
  private directLevel = 0;
  private directMs = 0;
  private bytesHeld = 0;

  get size(): number {
    return this.count;
  }

  get bytes(): number {
    return this.bytesHeld;
  }

  /** Whether user levels count among those of a flow. Those who wait are put in order anew, which keeps their age. */
  orderByLevel(isByLevel: boolean): void {
    if (isByLevel === this.inFlow.isByLevel) return;
    this.inFlow = new FlowLines(isByLevel, this.flows.capacity, this.flowOfSlot.length);
    for (let tier = 0; tier < tierCount; tier++) {
      for (let slot = this.byAge.first(tier); slot !== none; slot = this.byAge.next(slot)) {
        this.inFlow.append(this.flowOfSlot[slot]!, this.levelOf(this.waiters[slot]!), slot);
      }
    }
  }

  countOf(tier: number): number {
    return this.counts[tier]!;
  }

  /** Since when somebody has always waited in that tier; without meaning when nobody does. */
  busySinceMs(tier: number): number {
    return this.busySince[tier]!;
  }

  /** When the oldest of that tier entered; Infinity when nobody waits there. */
  oldestEnteredMs(tier: number): number {
    const slot = this.byAge.first(tier);
    return slot === none ? Number.POSITIVE_INFINITY : this.enteredMs[slot]!;
  }

  enteredMsOf(waiter: Waiter): number {
    return this.enteredMs[waiter.queueSlot]!;
  }

  flowOf(waiter: Waiter): number {
    return this.flowOfSlot[waiter.queueSlot]!;
  }

  tierOf(waiter: Waiter): number {
    return this.flows.tierOf(this.flowOfSlot[waiter.queueSlot]!);
  }

  /** One did not have to wait. Where user levels count, those who come with it are served with it. */
  noteServed(tier: number, level: number, nowMs: number): void {
    this.directTier = tier;
    this.directLevel = level;
    this.directMs = nowMs;
  }

  push(waiter: Waiter, tier: number, nowMs: number): void {
    assert(waiter.queueSlot === none, 'a waiter waits in one queue at a time');
    const slot = this.free.pop() ?? this.newSlot();
    const flow = this.flows.flowFor(tier, waiter.tenant);
    this.flows.grow(flow, nowMs);
    this.inFlow.growFlows(this.flows.capacity);
    this.waiters[slot] = waiter;
    this.enteredMs[slot] = nowMs;
    this.flowOfSlot[slot] = flow;
    const level = this.levelOf(waiter);
    this.inFlow.append(flow, level, slot);
    if (tier === this.directTier && level === this.directLevel) this.inFlow.served(flow, level, this.directMs);
    this.byAge.append(tier, slot);
    this.dense[this.count] = slot;
    this.places[slot] = this.count;
    waiter.queueSlot = slot;
    if (this.counts[tier]!++ === 0) this.busySince[tier] = nowMs;
    this.count++;
    this.bytesHeld += waiter.bytes;
  }

  // ── Who is where; none of this takes anybody out ────────────────────────────────────────────────────────────────

  /** Of the most important tier in which somebody waits; none when nobody does. */
  firstTier(): number {
    for (let tier = 0; tier < tierCount; tier++) if (this.counts[tier]! > 0) return tier;
    return none;
  }

  /** Of the least important one. */
  lastTier(): number {
    for (let tier = tierCount - 1; tier >= 0; tier--) if (this.counts[tier]! > 0) return tier;
    return none;
  }

  /** Of the tenant whose turn it is in that tier. */
  nextOf(tier: number, newestFirst: boolean): Waiter {
    const flow = this.flows.current(tier);
    const companion = this.inFlow.companion(flow, this.enteredMs);
    return this.waiters[companion !== none ? companion : this.inFlow.first(flow, newestFirst)]!;
  }

  oldestOf(tier: number): Waiter {
    return this.waiters[this.byAge.first(tier)]!;
  }

  newestOf(tier: number): Waiter {
    return this.waiters[this.byAge.last(tier)]!;
  }

  /** At that place, 0 to size − 1, in no particular order. */
  at(place: number): Waiter {
    return this.waiters[this.dense[place]!]!;
  }

  placeOf(waiter: Waiter): number {
    return this.places[waiter.queueSlot]!;
  }

  /** Who of that flow would be served after all others. */
  lastInFlow(flow: number, newestFirst: boolean): Waiter | null {
    return this.inSlot(this.inFlow.last(flow, newestFirst));
  }

  /** Of the same flow, who would be served just before it. */
  beforeInFlow(waiter: Waiter, newestFirst: boolean): Waiter | null {
    const slot = waiter.queueSlot;
    return this.inSlot(this.inFlow.before(this.flowOfSlot[slot]!, this.levelOf(waiter), slot, newestFirst));
  }

  /** Its user level, where that counts; else 0. */
  levelOf(waiter: Waiter): number {
    return this.inFlow.isByLevel ? waiter.userLevel : 0;
  }

  newerInTier(waiter: Waiter): Waiter | null {
    return this.inSlot(this.byAge.next(waiter.queueSlot));
  }

  // ── Out of it ───────────────────────────────────────────────────────────────────────────────────────────────────

  has(waiter: Waiter): boolean {
    const slot = waiter.queueSlot;
    return slot >= 0 && slot < this.used && this.waiters[slot] === waiter;
  }

  /** It is served, as part of its tenant's turn; remove() comes after. */
  charge(waiter: Waiter): void {
    const slot = waiter.queueSlot;
    const flow = this.flowOfSlot[slot]!;
    this.flows.charge(flow);
    this.inFlow.served(flow, this.levelOf(waiter), this.enteredMs[slot]!);
  }

  remove(waiter: Waiter): void {
    const slot = waiter.queueSlot;
    const flow = this.flowOfSlot[slot]!;
    const tier = this.flows.tierOf(flow);
    this.inFlow.remove(flow, this.levelOf(waiter), slot);
    this.byAge.remove(tier, slot);
    this.flows.shrink(flow);
    this.counts[tier]! -= 1;
    this.count--;
    const last = this.dense[this.count]!;
    const place = this.places[slot]!;
    this.dense[place] = last;
    this.places[last] = place;
    this.waiters[slot] = null;
    this.free.push(slot);
    waiter.queueSlot = none;
    this.bytesHeld -= waiter.bytes;
  }

  private inSlot(slot: number): Waiter | null {
    return slot === none ? null : this.waiters[slot]!;
  }

  private newSlot(): number {
    if (this.used === this.flowOfSlot.length) this.grow(this.used * 2);
    return this.used++;
  }

  /** The owner bounds the number of waiters, and with it this. */
  private grow(length: number): void {
    const enteredMs = new Float64Array(length);
    enteredMs.set(this.enteredMs);
    this.enteredMs = enteredMs;
    this.flowOfSlot = grown(this.flowOfSlot, length);
    this.dense = grown(this.dense, length);
    this.places = grown(this.places, length);
    this.inFlow.growSlots(length);
    this.byAge.growItems(length);
    while (this.waiters.length < length) this.waiters.push(null);
  }
}
