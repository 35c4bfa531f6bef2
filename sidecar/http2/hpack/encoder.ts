/**
 * HPACK encoding (RFC 7541), for speed first: what repeats is found by identity and costs a byte, what does not is
 * copied as it is, without Huffman coding. Only names on an allow-list go into the table, secrets never do, so that
 * neither a stranger's values wash the table out nor its size betrays a secret (RFC 7541 §7.1).
 */
import { DynamicTable, insertionMask } from './dynamic-table.ts';
import type { Field, HeaderList } from './field.ts';
import { fieldNames, Indexing } from './field-name.ts';
import { ListCache } from './list-cache.ts';
import { writeOctets } from './octets.ts';
import { emptySlots, slotsMax, slotsMin } from './slots.ts';
import { staticNameIndex, staticTableLength } from './static-table.ts';

const initialTableBytes = 4096;
/** One entry may take this part of the table: in a tiny table, indexing would only be churn. */
const entryShare = 4;
/** `:path` may take this part of the table; when it is full, one more path every so many blocks. */
const pathShare = 2;
const blocksPerExtraPath = 256;
/** Two table size updates, six bytes each at most. */
const sizeUpdateBytesMax = 12;

export interface HpackEncoderOptions {
  /** Tests turn the cache off, to show that it changes nothing. */
  readonly caching?: boolean;
}

export class HpackEncoder {
  private readonly tableBytesMax: number;
  private readonly table: DynamicTable;
  private readonly cache: ListCache | null;
  /** Where a field's entry was last seen, by the field's serial number. */
  private slotFields: (Field | null)[] = emptySlots<Field | null>(slotsMin, null);
  private slotCounters: number[] = emptySlots(slotsMin, 0);
  private slotMask = slotsMin - 1;
  private slotConflicts = 0;
  /** The counter of an entry with that name, by `FieldName`; only a hint. null: no entry was made for its name. */
  private nameCounters: Int32Array | null = null;
  /** The peer's limits since the last block: the smallest and the last (RFC 7541 §4.2). -1 when nothing changed. */
  private smallestPending = -1;
  private lastPending = -1;
  private blocks = 0;
  private lastPathBlock = 0;

  constructor(tableBytesMax: number = initialTableBytes, options: HpackEncoderOptions = {}) {
    this.tableBytesMax = tableBytesMax;
    this.table = new DynamicTable(initialTableBytes);
    this.cache = options.caching === false ? null : new ListCache();
    // The peer's table has 4096 bytes until it says otherwise; should ours be smaller, it has to know.
    if (tableBytesMax < initialTableBytes) this.setPeerTableBytes(initialTableBytes);
  }

  /** The dynamic table's fields, newest first. */
  entries(): Field[] {
    const fields: Field[] = [];
    for (let age = 0; age < this.table.count; age++) fields.push(this.table.at(age)!);
    return fields;
  }

  /** SETTINGS_HEADER_TABLE_SIZE of the peer; announced with the next block. */
  setPeerTableBytes(bytes: number): void {
    const wanted = Math.min(bytes, this.tableBytesMax);
    if (this.lastPending < 0 && wanted === this.table.bytesMax) return;
    this.smallestPending = this.lastPending < 0 ? wanted : Math.min(this.smallestPending, wanted);
    this.lastPending = wanted;
  }

  /** An upper bound of what encode(list) may write. */
  boundBytes(list: HeaderList): number {
    // A literal has at most 1 + 2 * 6 bytes beside its text, and `bytes` counts 32.
    return list.bytes + sizeUpdateBytesMax;
  }

  /** Writes the block at `at` and returns its end; the caller made room for boundBytes(list). */
  encode(list: HeaderList, out: Buffer, at: number): number {
    const table = this.table;
    let to = at;
    this.blocks++;
    if (this.lastPending >= 0) to = this.writeSizeUpdates(out, to);
    const version = table.version;
    const cache = this.cache;
    if (cache !== null) {
      const end = cache.copyTo(list, version, out, to);
      if (end > 0) return end;
    }

    const start = to;
    const fields = list.fields;
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i]!;
      if (field.staticIndex > 0) {
        if (field.indexing !== Indexing.never) {
          out[to++] = 0x80 | field.staticIndex;
          continue;
        }
      } else if (field.indexing === Indexing.value || field.indexing === Indexing.path) {
        const slot = field.serial & this.slotMask;
        let age = this.slotFields[slot] === field ? table.ageOf(this.slotCounters[slot]!) : -1;
        if (age < 0 || table.at(age) !== field) age = this.findOrInsert(field, slot);
        if (age >= 0) {
          const index = staticTableLength + 1 + age;
          if (index < 0x7f) out[to++] = 0x80 | index;
          else to = writeInteger(out, to, 0x80, 0x7f, index);
          continue;
        }
        if (age === justInserted) {
          to = writeLiteral(field, this.nameIndex(field.id), 0x40, 0x3f, out, to);
          table.insert(field);
          continue;
        }
      }
      const id = field.id;
      const index = id === 0 ? 0 : this.nameIndex(id);
      if (index === 0 && field.indexing === Indexing.name && this.fits(field)) {
        // The value comes along for once; what counts is that the name can be referred to from now on.
        to = writeLiteral(field, 0, 0x40, 0x3f, out, to);
        this.nameCounters ??= new Int32Array(fieldNames.length);
        this.nameCounters[id] = table.next;
        table.insert(field);
        continue;
      }
      to = writeLiteral(field, index, field.indexing === Indexing.never ? 0x10 : 0, 0x0f, out, to);
    }
    if (cache !== null && table.version === version) cache.keep(list, version, out, start, to);
    return to;
  }

  /** The age of the field's entry; `justInserted` when the caller shall insert it, `literal` when it shall not. */
  private findOrInsert(field: Field, slot: number): number {
    const table = this.table;
    const isPath = field.indexing === Indexing.path;
    if (isPath && this.slotFields[slot] === field && this.slotCounters[slot] === refused) {
      if (this.blocks - this.lastPathBlock < blocksPerExtraPath) return literal;
    }
    const age = table.find(field);
    if (age >= 0) {
      this.occupy(slot, field);
      this.slotCounters[slot] = (table.next - 1 - age) & insertionMask;
      return age;
    }
    if (!this.fits(field)) return literal;
    this.occupy(slot, field);
    if (isPath && !this.mayIndexPath(field)) {
      this.slotCounters[slot] = refused;
      return literal;
    }
    this.slotCounters[slot] = table.next;
    return justInserted;
  }

  private occupy(slot: number, field: Field): void {
    const before = this.slotFields[slot]!;
    this.slotFields[slot] = field;
    if (before === null || before === field || this.slotMask + 1 >= slotsMax) return;
    if (++this.slotConflicts <= this.slotMask) return;
    const slots = (this.slotMask + 1) * 2;
    this.slotFields = emptySlots<Field | null>(slots, null);
    this.slotCounters = emptySlots(slots, 0);
    this.slotMask = slots - 1;
    this.slotConflicts = 0;
  }

  private fits(field: Field): boolean {
    return field.bytes * entryShare <= this.table.bytesMax;
  }

  /** Paths are many on some connections, and would push everything else out of the table. */
  private mayIndexPath(field: Field): boolean {
    const table = this.table;
    let bytes = field.bytes;
    for (let age = 0; age < table.count; age++) {
      const entry = table.at(age)!;
      if (entry.indexing === Indexing.path) bytes += entry.bytes;
    }
    if (bytes * pathShare > table.bytesMax && this.blocks - this.lastPathBlock < blocksPerExtraPath) return false;
    this.lastPathBlock = this.blocks;
    return true;
  }

  /** The index under which the field's name can be had, 0 when there is none. */
  private nameIndex(id: number): number {
    const fixed = staticNameIndex[id]!;
    if (fixed > 0 || this.nameCounters === null) return fixed;
    const age = this.table.ageOf(this.nameCounters[id]!);
    return age >= 0 && this.table.at(age)!.id === id ? staticTableLength + 1 + age : 0;
  }

  private writeSizeUpdates(out: Buffer, at: number): number {
    let to = at;
    const table = this.table;
    if (this.smallestPending < table.bytesMax && this.smallestPending < this.lastPending) {
      table.resize(this.smallestPending);
      to = writeInteger(out, to, 0x20, 0x1f, this.smallestPending);
    }
    if (this.lastPending !== table.bytesMax) {
      table.resize(this.lastPending);
      to = writeInteger(out, to, 0x20, 0x1f, this.lastPending);
    }
    this.smallestPending = -1;
    this.lastPending = -1;
    return to;
  }
}

const literal = -1;
const justInserted = -2;
/** Instead of a counter: a path for which there is no room for now. */
const refused = -1;

/** RFC 7541 §5.1. */
function writeInteger(out: Buffer, at: number, pattern: number, prefix: number, value: number): number {
  let to = at;
  if (value < prefix) {
    out[to++] = pattern | value;
    return to;
  }
  out[to++] = pattern | prefix;
  let rest = value - prefix;
  while (rest >= 0x80) {
    out[to++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  out[to++] = rest;
  return to;
}

/** A string without Huffman coding (RFC 7541 §5.2). */
function writeText(text: string, out: Buffer, at: number): number {
  const length = text.length;
  let to = at;
  if (length < 0x7f) out[to++] = length;
  else to = writeInteger(out, to, 0, 0x7f, length);
  return writeOctets(text, out, to);
}

/** RFC 7541 §6.2; `index` is the name's, 0 when it must be written. */
function writeLiteral(field: Field, index: number, pattern: number, prefix: number, out: Buffer, at: number): number {
  let to = at;
  if (index > 0 && index < prefix) out[to++] = pattern | index;
  else if (index > 0) to = writeInteger(out, to, pattern, prefix, index);
  else {
    out[to++] = pattern;
    to = writeText(field.name, out, to);
  }
  return writeText(field.value, out, to);
}
