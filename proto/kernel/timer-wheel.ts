/**
 * One timer wheel for everything that waits: deadlines, queue waits, idle connections, probes. Most timers are cancelled
 * before they fire, so scheduling and cancelling must be O(1) and allocate nothing; a heap would pay log n twice for
 * timers that never matter. The links live in the timer itself, and five wheels of 32 slots stand on each other like
 * the hands of a clock:
 *
 *   level 0: 32 slots of 1 tick     level 2: 32 slots of 32² ticks     a timer enters the lowest wheel that reaches
 *   level 1: 32 slots of 32 ticks   level 3, 4: and so on              it and falls a level when its slot begins
 *
 * With ticks of 4 ms the top reaches 37 hours; what lies beyond waits in its last slot and is dealt out again. A
 * 32-bit mask per level says which slots hold something, so a long jump of time costs the timers it passes, not the
 * ticks.
 *
 * A timer fires at the first `advance` at or after its time rounded up to a tick: never early, and late by less than a
 * tick. Timers fire in the order of their ticks; within a tick the order is not promised.
 */
import { assert } from './assert.ts';

const slotBits = 5;
const slotsPerLevel = 1 << slotBits;
const levels = 5;
const ticksPerSlot = Float64Array.from({ length: levels + 1 }, (_, level) => slotsPerLevel ** level);
/** Two lists beside the wheels: what was already due when it was scheduled, and what this advance is firing. */
const dueList = levels * slotsPerLevel;
const firingList = dueList + 1;
const unscheduled = -1;

/** What a wheel fires. Extend it, or use CallbackTimer. The wheel owns every field; read `atMs` and `isScheduled()`. */
export abstract class Timer {
  timerNext: Timer | null = null;
  timerPrev: Timer | null = null;
  timerList = unscheduled;
  timerTick = 0;
  /** When it is due; meaningful while scheduled. */
  atMs = 0;

  /** May schedule and cancel any timer, this one included. */
  abstract onTimer(nowMs: number): void;

  isScheduled(): boolean {
    return this.timerList !== unscheduled;
  }
}

export class CallbackTimer extends Timer {
  private readonly callback: (nowMs: number) => void;

  constructor(callback: (nowMs: number) => void) {
    super();
    this.callback = callback;
  }

  override onTimer(nowMs: number): void {
    this.callback(nowMs);
  }
}

/** The head of a circular list. */
class ListHead extends Timer {
  constructor() {
    super();
    this.timerNext = this;
    this.timerPrev = this;
  }

  override onTimer(): void {}
}

export class TimerWheel {
  private readonly tickMs: number;
  private readonly lists: readonly ListHead[] = Array.from({ length: firingList + 1 }, () => new ListHead());
  private readonly masks = new Uint32Array(levels);
  /** Every timer on a wheel is later than this tick. */
  private currentTick: number;
  private scheduled = 0;
  private advancing = false;

  constructor(tickMs = 4, nowMs = 0) {
    assert(tickMs > 0, 'a tick takes time');
    this.tickMs = tickMs;
    this.currentTick = Math.floor(nowMs / tickMs);
  }

  /** Timers that wait, those due included. */
  get size(): number {
    return this.scheduled;
  }

  /** A timer that is already scheduled is moved. One that is due already fires in the next advance, not in this one. */
  schedule(timer: Timer, atMs: number): void {
    assert(Number.isFinite(atMs), 'a timer needs a time');
    if (timer.timerList === unscheduled) this.scheduled++;
    else this.unlink(timer);
    timer.atMs = atMs;
    timer.timerTick = Math.ceil(atMs / this.tickMs);
    this.place(timer);
  }

  cancel(timer: Timer): void {
    if (timer.timerList === unscheduled) return;
    this.unlink(timer);
    timer.timerList = unscheduled;
    this.scheduled--;
  }

  /** Fires everything that is due. Time that stands still or runs backwards fires only what was due already. */
  advance(nowMs: number): void {
    assert(!this.advancing, 'advance() was called from inside onTimer()');
    this.moveAll(dueList, firingList);
    this.collect(Math.floor(nowMs / this.tickMs));
    const firing = this.lists[firingList]!;
    this.advancing = true;
    try {
      // Due timers were collected first, so what onTimer schedules waits for the next advance: a timer that is always
      // due cannot hold the loop. What it cancels is taken off this list like off any other.
      for (let timer = firing.timerNext!; timer !== firing; timer = firing.timerNext!) {
        this.cancel(timer);
        timer.onTimer(nowMs);
      }
    } finally {
      this.advancing = false;
    }
  }

  /**
   * When `advance` next has something to do: the first timer's time, or before it the moment at which a timer that is
   * far away changes wheels. Advancing at these times only loses no punctuality.
   */
  nextAtMs(): number {
    if (this.scheduled === 0) return Number.POSITIVE_INFINITY;
    if (!this.isEmpty(dueList) || !this.isEmpty(firingList)) return this.currentTick * this.tickMs;
    return this.nextTick() * this.tickMs;
  }

  /** Moves what is due by `targetTick` to the firing list, in order, and lets the far wheels fall. */
  private collect(targetTick: number): void {
    for (let tick = this.nextTick(); tick <= targetTick; tick = this.nextTick()) {
      this.currentTick = tick;
      for (let level = levels - 1; level > 0; level--) {
        if (tick % ticksPerSlot[level]! === 0) this.cascade(level);
      }
      const slot = tick % slotsPerLevel;
      this.masks[0]! &= ~(1 << slot);
      this.moveAll(slot, firingList);
    }
    if (targetTick > this.currentTick) this.currentTick = targetTick;
  }

  /** The next tick at which some slot of some level begins that holds a timer. */
  private nextTick(): number {
    let next = Number.POSITIVE_INFINITY;
    for (let level = 0; level < levels; level++) {
      const mask = this.masks[level]!;
      if (mask === 0) continue;
      const unit = ticksPerSlot[level]!;
      const position = Math.floor(this.currentTick / unit);
      // Rotate so that bit 0 is the slot after the current one; the current slot itself is then a full turn away.
      const shift = (position + 1) % slotsPerLevel;
      const rotated = shift === 0 ? mask : (mask >>> shift) | (mask << (slotsPerLevel - shift));
      const begin = (position + 1 + trailingZeros(rotated)) * unit;
      if (begin < next) next = begin;
    }
    return next;
  }

  private cascade(level: number): void {
    const slot = Math.floor(this.currentTick / ticksPerSlot[level]!) % slotsPerLevel;
    const head = this.lists[level * slotsPerLevel + slot]!;
    // A timer beyond the top wheel may come back to this very slot, so the list is emptied first.
    let timer = head.timerNext!;
    head.timerNext = head;
    head.timerPrev = head;
    this.masks[level]! &= ~(1 << slot);
    while (timer !== head) {
      const next = timer.timerNext!;
      // The timers of this very tick go to the slot that is about to fire.
      if (timer.timerTick <= this.currentTick) this.link(timer, this.currentTick % slotsPerLevel);
      else this.place(timer);
      timer = next;
    }
  }

  private place(timer: Timer): void {
    const delta = timer.timerTick - this.currentTick;
    if (delta <= 0) {
      this.link(timer, dueList);
      return;
    }
    let level = 0;
    while (level < levels - 1 && delta >= ticksPerSlot[level + 1]!) level++;
    const reach = ticksPerSlot[levels]!;
    const tick = delta < reach ? timer.timerTick : this.currentTick + reach - 1;
    const slot = Math.floor(tick / ticksPerSlot[level]!) % slotsPerLevel;
    this.masks[level]! |= 1 << slot;
    this.link(timer, level * slotsPerLevel + slot);
  }

  private link(timer: Timer, list: number): void {
    const head = this.lists[list]!;
    const last = head.timerPrev!;
    timer.timerList = list;
    timer.timerPrev = last;
    timer.timerNext = head;
    last.timerNext = timer;
    head.timerPrev = timer;
  }

  private unlink(timer: Timer): void {
    timer.timerPrev!.timerNext = timer.timerNext;
    timer.timerNext!.timerPrev = timer.timerPrev;
    timer.timerNext = null;
    timer.timerPrev = null;
    const list = timer.timerList;
    if (list < dueList && this.isEmpty(list)) this.masks[list >> slotBits]! &= ~(1 << (list & (slotsPerLevel - 1)));
  }

  private moveAll(from: number, to: number): void {
    const head = this.lists[from]!;
    while (head.timerNext !== head) {
      const timer = head.timerNext!;
      head.timerNext = timer.timerNext;
      timer.timerNext!.timerPrev = head;
      this.link(timer, to);
    }
  }

  private isEmpty(list: number): boolean {
    const head = this.lists[list]!;
    return head.timerNext === head;
  }
}

function trailingZeros(mask: number): number {
  return 31 - Math.clz32(mask & -mask);
}
