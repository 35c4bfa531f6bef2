/**
 * Literals that came before: peers that keep `:path` or a name out of their table (nghttp2 and all built on it do) send
 * the same text with every request. The same coded bytes mean the same text, so the field made of them last time is
 * handed out again, without decoding, judging and making a string. Direct-mapped and bounded; what comes once costs a
 * look and no copy.
 */
import { copyOf } from './block-cache.ts';
import type { Field } from './field.ts';
import { emptySlots, slotsMax, slotsMin } from './slots.ts';

/** Lengths from here on take more than one byte, and repeat too rarely. */
const textBytesMax = 0x7f;

export class LiteralCache {
  private hashes: number[] = [];
  private texts: (Uint8Array | null)[] = [];
  private fields: (Field | null)[] = [];
  private kinds: number[] = [];
  private mask = 0;
  private conflicts = 0;
  private hash = 0;
  /** What was looked up last came before and was not kept yet. */
  isWanted = false;

  constructor() {
    this.clear(slotsMin);
  }

  /** The field that was made of the string at `at` (RFC 7541 §5.2) the last time, for the same kind of use. */
  find(kind: number, buf: Uint8Array, at: number, end: number): Field | null {
    this.isWanted = false;
    if (at >= end) return null;
    const first = buf[at]!;
    const length = first & 0x7f;
    if (length === textBytesMax || at + length >= end) return null;
    const last = at + length;
    const step = length > 16 ? length >>> 3 : 1;
    let hash = kind;
    for (let i = at; i < last; i += step) hash = Math.imul(hash ^ buf[i]!, 0x01000193);
    hash = Math.imul(hash ^ buf[last]!, 0x01000193);
    hash ^= hash >>> 15;
    this.hash = hash;
    const slot = hash & this.mask;
    if (this.hashes[slot] !== hash) {
      this.replace(slot, hash);
      return null;
    }
    const field = this.fields[slot]!;
    if (field !== null && this.kinds[slot] === kind) {
      const text = this.texts[slot]!;
      if (text.length === length + 1) {
        let i = 0;
        while (i <= length && text[i] === buf[at + i]) i++;
        if (i > length) return field;
      }
    }
    this.isWanted = true;
    return null;
  }

  /** Keeps the field made of what was looked up last. */
  keep(kind: number, buf: Uint8Array, at: number, field: Field): void {
    if (!this.isWanted) return;
    const slot = this.hash & this.mask;
    this.kinds[slot] = kind;
    this.texts[slot] = copyOf(buf, at, at + 1 + (buf[at]! & 0x7f));
    this.fields[slot] = field;
  }

  private replace(slot: number, hash: number): void {
    const isConflict = this.hashes[slot] !== 0;
    this.hashes[slot] = hash;
    this.fields[slot] = null;
    if (isConflict && ++this.conflicts > this.mask && this.mask + 1 < slotsMax) this.clear((this.mask + 1) * 2);
  }

  private clear(slots: number): void {
    this.hashes = emptySlots(slots, 0);
    this.texts = emptySlots<Uint8Array | null>(slots, null);
    this.fields = emptySlots<Field | null>(slots, null);
    this.kinds = emptySlots(slots, 0);
    this.mask = slots - 1;
    this.conflicts = 0;
  }
}
