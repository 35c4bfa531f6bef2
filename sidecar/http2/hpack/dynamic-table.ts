/**
 * The dynamic table (RFC 7541 §2.3.2, §4): first in, first out, as a ring with a counter of insertions. An entry is
 * known by the count at which it came, so nothing moves when another one is added; its index is the distance to the
 * newest.
 */
import type { Field } from './field.ts';

/** Counters wrap here and stay small integers; whoever keeps one checks the entry it leads to. */
export const insertionMask = 0x3fffffff;

/** RFC 7541 §4.1: what an entry costs beyond its text, hence how many can be. */
const entryOverheadBytes = 32;

export class DynamicTable {
  /** How many bytes the entries may have now. */
  bytesMax: number;
  bytes = 0;
  count = 0;
  /** The counter that the next entry gets. */
  next = 0;
  /** Changes with every change of the contents: what was coded against one version holds for that version only. */
  version = 0;
  private readonly ring: (Field | undefined)[];
  private readonly ringMask: number;

  constructor(capacityBytes: number, bytesMax: number) {
    let slots = 16;
    while (slots * entryOverheadBytes < capacityBytes) slots *= 2;
    this.ring = new Array<Field | undefined>(slots).fill(undefined);
    this.ringMask = slots - 1;
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

  private evictTo(bytes: number): void {
    while (this.bytes > bytes && this.count > 0) {
      const slot = (this.next - this.count) & this.ringMask;
      this.bytes -= this.ring[slot]!.bytes;
      this.ring[slot] = undefined;
      this.count--;
    }
  }
}
