/**
 * Blocks that were encoded before, by the list's identity and the version of the table: lists are often one object
 * (see `block-cache.ts`, and everything that the proxy itself says), and then encoding is a copy. Direct-mapped and
 * bounded; a list is kept at its second coming, since most come once.
 */
import { copyOf } from './block-cache.ts';
import type { HeaderList } from './field.ts';
import { emptySlots, slotsMax, slotsMin } from './slots.ts';

const blockBytesMax = 256;

export class ListCache {
  private ids: number[] = [];
  private versions: number[] = [];
  private blocks: (Uint8Array | null)[] = [];
  private mask = 0;
  private conflicts = 0;

  constructor() {
    this.clear(slotsMin);
  }

  /** Copies the list's block to `out` and returns its end; 0 when there is none to copy. */
  copyTo(list: HeaderList, version: number, out: Uint8Array, at: number): number {
    const slot = list.id & this.mask;
    if (this.ids[slot] !== list.id || this.versions[slot] !== version) return 0;
    const block = this.blocks[slot]!;
    if (block === null) return 0;
    const length = block.length;
    for (let i = 0; i < length; i++) out[at + i] = block[i]!;
    return at + length;
  }

  keep(list: HeaderList, version: number, out: Uint8Array, start: number, end: number): void {
    if (end - start > blockBytesMax) return;
    const slot = list.id & this.mask;
    if (this.ids[slot] === list.id && this.versions[slot] === version) {
      this.blocks[slot] = copyOf(out, start, end);
      return;
    }
    // A list that was pushed out by another, not one that the table outgrew.
    const isConflict = this.ids[slot] !== 0 && this.versions[slot] === version;
    this.ids[slot] = list.id;
    this.versions[slot] = version;
    this.blocks[slot] = null;
    if (isConflict && ++this.conflicts > this.mask && this.mask + 1 < slotsMax) this.clear((this.mask + 1) * 2);
  }

  private clear(slots: number): void {
    this.ids = emptySlots(slots, 0);
    this.versions = emptySlots(slots, 0);
    this.blocks = emptySlots<Uint8Array | null>(slots, null);
    this.mask = slots - 1;
    this.conflicts = 0;
  }
}
