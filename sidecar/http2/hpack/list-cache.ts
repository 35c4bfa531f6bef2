/**
 * Blocks that were encoded before, by the list's identity and the version of the table: lists are often one object
 * (see `block-cache.ts`, and everything that the proxy itself says), and then encoding is a copy. Direct-mapped and
 * bounded; a list is kept at its second coming, since most come once.
 */
import { copyOf } from './block-cache.ts';
import type { HeaderList } from './field.ts';

const slots = 64;
const blockBytesMax = 256;

export class ListCache {
  private readonly ids = new Float64Array(slots);
  private readonly versions = new Float64Array(slots);
  private readonly blocks: (Uint8Array | null)[] = new Array<Uint8Array | null>(slots).fill(null);

  /** Copies the list's block to `out` and returns its end; 0 when there is none to copy. */
  copyTo(list: HeaderList, version: number, out: Uint8Array, at: number): number {
    const slot = list.id & (slots - 1);
    if (this.ids[slot] !== list.id || this.versions[slot] !== version) return 0;
    const block = this.blocks[slot]!;
    if (block === null) return 0;
    const length = block.length;
    for (let i = 0; i < length; i++) out[at + i] = block[i]!;
    return at + length;
  }

  keep(list: HeaderList, version: number, out: Uint8Array, start: number, end: number): void {
    if (end - start > blockBytesMax) return;
    const slot = list.id & (slots - 1);
    if (this.ids[slot] === list.id && this.versions[slot] === version) {
      this.blocks[slot] = copyOf(out, start, end);
      return;
    }
    this.ids[slot] = list.id;
    this.versions[slot] = version;
    this.blocks[slot] = null;
  }
}
