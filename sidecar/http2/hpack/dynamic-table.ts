/**
 * The dynamic table (RFC 7541 §2.3.2, §4): first in, first out, as a ring with a counter of insertions. An entry is
 * known by the count at which it came, so nothing moves when another one is added; its index is the distance to the
 * newest.
 */
import type { Field } from './field.ts';
import { emptySlots, slotsMin } from './slots.ts';

/** Counters wrap here and stay small integers; whoever keeps one checks the entry it leads to. */
export const insertionMask = 0x3fffffff;

export class DynamicTable {
  /** How many bytes the entries may have now. */
  bytesMax: number;
  bytes = 0;
  count = 0;
  /** The counter that the next entry gets. */
  next = 0;
  /** Changes with every change of the contents: what was coded against one version holds for that version only. */
  version = 0;
  /** Grows with the entries, up to what `bytesMax` allows, since most tables stay nearly empty. */
  private ring: (Field | undefined)[] = emptySlots<Field | undefined>(slotsMin, undefined);
  private ringMask = slotsMin - 1;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** By distance from the newest, which is 0; undefined when there is no such entry. */
  at(age: number): Field | undefined {
    return age < this.count ? this.ring[(this.next - 1 - age) & this.ringMask] : undefined;
  }

  /** The age of the entry that got this counter, -1 when it is gone. */
  ageOf(counter: number): number {
    const age = (this.next - 1 - counter) & insertionMask;
    return age < this.count ? age : -1;
  }

  /** The age of this very field, -1 when it is not here. */
  find(field: Field): number {
    for (let age = 0; age < this.count; age++) {
      if (this.ring[(this.next - 1 - age) & this.ringMask] === field) return age;
    }
    return -1;
  }

  /** RFC 7541 §4.4: evicts until the field fits; one that can never fit empties the table and is not an error. */
  insert(field: Field): void {
    const bytes = field.bytes;
    this.version++;
    this.evictTo(this.bytesMax - bytes);
    if (bytes > this.bytesMax) return;
    if (this.count > this.ringMask) this.grow();
    this.ring[this.next & this.ringMask] = field;
    this.next = (this.next + 1) & insertionMask;
    this.count++;
    this.bytes += bytes;
  }

  /** Puts another object with the same name and value in an entry's place; nothing that a peer could tell. */
  replace(age: number, field: Field): void {
    this.ring[(this.next - 1 - age) & this.ringMask] = field;
  }

  /** RFC 7541 §4.3. The caller checked the limit. */
  resize(bytesMax: number): void {
    this.bytesMax = bytesMax;
    this.version++;
    this.evictTo(bytesMax);
  }

  /** Its bound is that of the entries: each counts 32 bytes and more. */
  private grow(): void {
    const before = this.ring;
    const { ringMask } = this;
    const mask = before.length * 2 - 1;
    const ring = emptySlots<Field | undefined>(mask + 1, undefined);
    for (let counter = this.next - this.count; counter !== this.next; counter++) {
      ring[counter & mask] = before[counter & ringMask];
    }
    this.ring = ring;
    this.ringMask = mask;
  }

  private evictTo(bytes: number): void {
    while (this.bytes > bytes && this.count > 0) {
      const slot = (this.next - this.count) & this.ringMask;
      this.bytes -= this.ring[slot]!.bytes;
      this.ring[slot] = undefined;
      this.count--;
    }
  }
}
