/**
 * Probing without a leader, by the clock alone: time since the opening is cut into slots of a second, and in slot s only
 * the member of rank s mod M probes, in the middle half of it. Two clocks that are each at most a quarter of a slot off
 * can then never make two members probe at once, and nobody needs to say a word. What the probes found is told to all;
 * three successes of different slots within five seconds are enough to begin the ramp.
 */
import { fnv1a } from './kernel/fnv.ts';

export const slotMs = 1000;
/** A clock that is further off than this stays out of it. */
export const slotSkewMaxMs = 250;
const marginMs = slotMs / 4;

export interface Slot {
  readonly number: number;
  /** Until the end of its middle half; 0 = outside it. */
  readonly leftMs: number;
}

export function slotAt(wallMs: number, openedAtWallMs: number): Slot {
  const sinceMs = Math.max(0, wallMs - openedAtWallMs);
  const number = Math.floor(sinceMs / slotMs);
  const intoMs = sinceMs - number * slotMs;
  const isInside = intoMs >= marginMs && intoMs < slotMs - marginMs;
  return { number, leftMs: isInside ? slotMs - marginMs - intoMs : 0 };
}

/** Of the sorted list, in 16 hex digits; '' for nobody. */
export function hashMembers(members: readonly string[]): string {
  if (members.length === 0) return '';
  const text = members.join(' ');
  return [fnv1a(text), fnv1a(`${members.length} ${text}`)].map((part) => part.toString(16).padStart(8, '0')).join('');
}

const successesNeeded = 3;
const withinMs = 5000;

export class SlotSuccesses {
  /** Newest last; at most successesNeeded. */
  private heard: { readonly slot: number; readonly atMs: number }[] = [];

  hear(slot: number, ok: boolean, nowMs: number): void {
    if (!ok || this.heard.some((one) => one.slot === slot)) return;
    this.heard.push({ slot, atMs: nowMs });
    if (this.heard.length > successesNeeded) this.heard.shift();
  }

  areEnough(nowMs: number): boolean {
    return this.heard.length === successesNeeded && nowMs - this.heard[0]!.atMs <= withinMs;
  }

  clear(): void {
    this.heard = [];
  }
}
