/**
 * Header blocks that came before: the same bytes against the same table mean the same list, so the very same object is
 * handed out again and whatever was worked out for it (route, encoded form) still holds. Direct-mapped and bounded;
 * bytes are compared in full. A block is kept at its second coming only, so that requests which are all different cost
 * no copies.
 */
import type { HeaderList } from './field.ts';
import { emptySlots, slotsMax, slotsMin } from './slots.ts';

/** Longer blocks hardly repeat, and would cost memory on every connection. */
const blockBytesMax = 256;

export class BlockCache {
  private hashes: number[] = [];
  private versions: number[] = [];
  private blocks: (Uint8Array | null)[] = [];
  private lists: (HeaderList | null)[] = [];
  private mask = 0;
  private conflicts = 0;
  /** Of the block that was looked up last. */
  private hash = 0;
  private wanted = false;

  constructor() {
    this.clear(slotsMin);
  }

  find(buf: Uint8Array, start: number, end: number, version: number): HeaderList | null {
    const length = end - start;
    this.wanted = false;
    if (length > blockBytesMax) return null;
    let hash = length;
    const step = length > 32 ? length >>> 4 : 1;
    for (let i = start; i < end; i += step) hash = Math.imul(hash ^ buf[i]!, 0x01000193);
    hash ^= hash >>> 15;
    this.hash = hash;
    const slot = hash & this.mask;
    if (this.hashes[slot] !== hash || this.versions[slot] !== version) {
      this.replace(slot, hash, version);
      return null;
    }
    this.wanted = true;
    const list = this.lists[slot]!;
    if (list === null) return null;
    const block = this.blocks[slot]!;
    if (block.length !== length) return null;
    for (let i = 0; i < length; i++) {
      if (block[i] !== buf[start + i]) return null;
    }
    return list;
  }

  /** Keeps the list of the block that was looked up last and not found, if it came before. */
  keep(buf: Uint8Array, start: number, end: number, list: HeaderList): void {
    if (!this.wanted) return;
    const slot = this.hash & this.mask;
    this.blocks[slot] = copyOf(buf, start, end);
    this.lists[slot] = list;
  }

  private replace(slot: number, hash: number, version: number): void {
    // A block that was pushed out by another, not one that the table outgrew.
    const isConflict = this.hashes[slot] !== 0 && this.versions[slot] === version;
    this.hashes[slot] = hash;
    this.versions[slot] = version;
    this.lists[slot] = null;
    if (isConflict && ++this.conflicts > this.mask && this.mask + 1 < slotsMax) this.clear((this.mask + 1) * 2);
  }

  private clear(slots: number): void {
    this.hashes = emptySlots(slots, 0);
    this.versions = emptySlots(slots, 0);
    this.blocks = emptySlots<Uint8Array | null>(slots, null);
    this.lists = emptySlots<HeaderList | null>(slots, null);
    this.mask = slots - 1;
    this.conflicts = 0;
  }
}

/** A copy, whichever array it is: the `slice` of a Buffer shares the memory. */
export function copyOf(buf: Uint8Array, start: number, end: number): Uint8Array {
  const copy = new Uint8Array(end - start);
  for (let i = 0; i < copy.length; i++) copy[i] = buf[start + i]!;
  return copy;
}
