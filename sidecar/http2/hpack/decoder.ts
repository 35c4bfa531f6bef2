/**
 * HPACK decoding (RFC 7541): a whole header block in, a list of fields out. The table follows the peer's whatever
 * becomes of the list, also when the list is too large to keep. Counting follows RFC 9113 §10.5.1, and references
 * count like text, so that one byte cannot stand for kilobytes unnoticed (CVE-2016-6581 and its kin).
 */
import { charClasses } from '../validate.ts';
import { BlockCache } from './block-cache.ts';
import { DynamicTable } from './dynamic-table.ts';
import {
  type Field,
  HeaderList,
  knownPath,
  makeField,
  makeNameField,
  makePendingField,
  mayBePending,
} from './field.ts';
import { FieldName, fieldNameId, fieldNames, Indexing, indexingOf } from './field-name.ts';
import { decodedClasses, huffmanDecode, huffmanDecodedBytesMax } from './huffman.ts';
import { LiteralCache } from './literal-cache.ts';
import { readOctets } from './octets.ts';
import { makeRoom, octets, octetsEnd, settle, settleLater } from './pending-texts.ts';
import { staticTable, staticTableLength } from './static-table.ts';

export interface HpackDecoderLimits {
  /** SETTINGS_HEADER_TABLE_SIZE as we announce it. */
  readonly tableBytesMax?: number;
  readonly listBytesMax?: number;
  readonly fieldsMax?: number;
  /** Name and value of one field. */
  readonly fieldBytesMax?: number;
  /** Tests turn the caches off, to show that they change nothing. */
  readonly caching?: boolean;
}

/** What every table may have before anything was said (RFC 9113 §6.5.2). */
const initialTableBytes = 4096;
/** A list this many times over the limit is no accident: the connection ends. */
const farTooLargeFactor = 4;
/** RFC 7541 §5.1 leaves it to us; nothing of ours needs more than 31 bits. */
const integerMax = 0x7fffffff;
const continuationBytesMax = 5;

/** Kinds of literals in the cache: values are known by their name's id. */
const nameKind = -1;

export class HpackDecoder {
  /** Why decode() returned null. */
  error = '';
  /** It was for the list's size, several times over the limit. */
  isFarTooLarge = false;
  private readonly tableBytesMax: number;
  private readonly listBytesMax: number;
  private readonly fieldsMax: number;
  private readonly fieldBytesMax: number;
  private readonly table: DynamicTable;
  private readonly cache: BlockCache | null;
  private readonly literals: LiteralCache | null;
  /** The table's version behind the last block. */
  private lastVersion = 0;
  /** Behind what was read last. */
  private pos = 0;
  /** The string that was read last: its end among the octets, and its characters' classes. */
  private textEnd = 0;
  private textClasses = 0;

  constructor(limits: HpackDecoderLimits = {}) {
    this.tableBytesMax = limits.tableBytesMax ?? initialTableBytes;
    this.listBytesMax = limits.listBytesMax ?? 65_536;
    this.fieldsMax = limits.fieldsMax ?? 256;
    this.fieldBytesMax = limits.fieldBytesMax ?? 16_384;
    this.table = new DynamicTable(initialTableBytes);
    this.cache = limits.caching === false ? null : new BlockCache();
    this.literals = limits.caching === false ? null : new LiteralCache();
  }

  /** The dynamic table's size now (RFC 7541 §4.1). */
  get tableBytes(): number {
    return this.table.bytes;
  }

  /**
   * Decodes the block buf[start, end). Beyond the limits the list says `tooLarge` and has what fitted. Null is a
   * COMPRESSION_ERROR: `error` says why, and the connection cannot go on.
   */
  decode(buf: Uint8Array, start: number, end: number): HeaderList | null {
    const table = this.table;
    const version = table.version;
    // A peer that changes the table with every block never sends the same one twice.
    const cache = this.lastVersion === version ? this.cache : null;
    if (cache !== null) {
      const list = cache.find(buf, start, end, version);
      if (list !== null) return list;
    }
    const list = this.decodeAnew(buf, start, end);
    settle();
    this.lastVersion = table.version;
    if (list !== null && cache !== null && !list.tooLarge && table.version === version) {
      cache.keep(buf, start, end, list);
    }
    return list;
  }

  private decodeAnew(buf: Uint8Array, start: number, end: number): HeaderList | null {
    const table = this.table;
    const fields: Field[] = [];
    let bytes = 0;
    let kept = 0;
    let tooLarge = false;
    let sizeUpdateAllowed = true;
    let pos = start;
    while (pos < end) {
      const first = buf[pos]!;
      let field: Field | undefined;
      if (first >= 0x80) {
        let index = first & 0x7f;
        pos++;
        if (index === 0x7f) {
          index = this.readInteger(buf, pos, end, 0x7f);
          if (index < 0) return null;
          pos = this.pos;
        }
        if (index <= staticTableLength) field = staticTable[index];
        else {
          const age = index - staticTableLength - 1;
          field = table.at(age);
          if (field !== undefined && field.id === FieldName.path && field.indexing === Indexing.literal) {
            field = this.rememberPath(field, age);
          }
        }
        if (field === undefined) return this.fail(`index ${index} is in no table`);
      } else if ((first & 0xe0) === 0x20) {
        if (!sizeUpdateAllowed) return this.fail('table size update behind a field');
        if (!this.resize(buf, pos, end)) return null;
        pos = this.pos;
        continue;
      } else {
        field = this.readLiteral(buf, pos, end);
        if (field === undefined) return null;
        pos = this.pos;
      }
      sizeUpdateAllowed = false;
      bytes += field.bytes;
      if (bytes > this.listBytesMax || fields.length >= this.fieldsMax || field.bytes - 32 > this.fieldBytesMax) {
        tooLarge = true;
        if (bytes > this.listBytesMax * farTooLargeFactor) {
          this.isFarTooLarge = true;
          return this.fail('header list far too large');
        }
      } else if (!tooLarge) {
        kept = bytes;
        fields.push(field);
      }
    }

    // The list reads its fields.
    settle();
    return new HeaderList(fields, kept, tooLarge);
  }

  /** A path that the peer refers to does repeat: from now on it is one field for all connections. */
  private rememberPath(field: Field, age: number): Field {
    // It may be a field of this very block.
    settle();
    const known = knownPath(field);
    if (known !== field) this.table.replace(age, known);
    return known;
  }

  /** RFC 7541 §6.2; undefined is an error. */
  private readLiteral(buf: Uint8Array, at: number, end: number): Field | undefined {
    const first = buf[at]!;
    const inserts = (first & 0x40) !== 0;
    const neverIndexed = (first & 0xf0) === 0x10;
    const prefix = inserts ? 0x3f : 0x0f;
    let index = first & prefix;
    this.pos = at + 1;
    if (index === prefix) {
      index = this.readInteger(buf, at + 1, end, prefix);
      if (index < 0) return undefined;
    }

    let named: Field | undefined;
    if (index === 0) named = this.readName(buf, this.pos, end);
    else if (index <= staticTableLength) named = staticTable[index];
    else named = this.table.at(index - staticTableLength - 1);
    if (named === undefined) {
      if (index > 0) this.fail(`index ${index} is in no table`);
      return undefined;
    }

    const field = this.readValue(buf, this.pos, end, named, neverIndexed, inserts);
    if (field !== undefined && inserts) this.table.insert(field);
    return field;
  }

  private readName(buf: Uint8Array, at: number, end: number): Field | undefined {
    const literals = this.literals;
    if (literals !== null) {
      const known = literals.find(nameKind, buf, at, end);
      if (known !== null) {
        this.pos = at + 1 + (buf[at]! & 0x7f);
        return known;
      }
    }
    if (!this.readString(buf, at, end)) return undefined;
    const name = readOctets(octets, octetsEnd, this.textEnd);
    const id = fieldNameId(name);
    // The text of a name that we know exists already.
    const named = makeNameField(id, id === 0 ? name : fieldNames[id]!);
    if (literals !== null) literals.keep(nameKind, buf, at, named);
    return named;
  }

  private readValue(
    buf: Uint8Array,
    at: number,
    end: number,
    named: Field,
    neverIndexed: boolean,
    inserts: boolean,
  ): Field | undefined {
    const id = named.id;
    const indexing = indexingOf[id]!;
    const mayRepeat = !inserts && !neverIndexed && (indexing === Indexing.value || indexing === Indexing.path);
    const literals = mayRepeat ? this.literals : null;
    let repeats = false;
    if (literals !== null) {
      const known = literals.find(id, buf, at, end);
      if (known !== null) {
        this.pos = at + 1 + (buf[at]! & 0x7f);
        return known;
      }
      repeats = literals.isWanted;
    }

    if (!this.readString(buf, at, end)) return undefined;
    const length = this.textEnd - octetsEnd;
    const isPath = id === FieldName.path;
    const isPlain = this.textClasses === 0 && length > 0 && named.invalid === 0;
    if (isPlain && mayBePending[id] === 1 && !(isPath && repeats)) {
      const field = makePendingField(id, named.name, length, neverIndexed);
      settleLater(field, this.textEnd);
      return field;
    }
    const value = readOctets(octets, octetsEnd, this.textEnd);
    const field = makeField(id, named.name, value, this.textClasses, neverIndexed, repeats);
    if (literals !== null) literals.keep(id, buf, at, field);
    return field;
  }

  /** Reads a string (RFC 7541 §5.2), behind the pending texts. */
  private readString(buf: Uint8Array, at: number, end: number): boolean {
    if (at >= end) return this.isFailure('block ends within a field');
    const first = buf[at]!;
    let length = first & 0x7f;
    let from = at + 1;
    if (length === 0x7f) {
      length = this.readInteger(buf, from, end, 0x7f);
      if (length < 0) return false;
      from = this.pos;
    }
    const until = from + length;
    if (until > end) return this.isFailure('string is longer than the block');
    this.pos = until;
    const room = (first & 0x80) !== 0 ? huffmanDecodedBytesMax(length) : length;
    makeRoom(room);
    const out = octets;
    const to = octetsEnd;
    if ((first & 0x80) !== 0) {
      const textEnd = huffmanDecode(buf, from, until, out, to);
      if (textEnd < 0) return this.isFailure('invalid Huffman code');
      this.textEnd = textEnd;
      this.textClasses = decodedClasses;
      return true;
    }
    let classes = 0;
    for (let i = 0; i < length; i++) {
      const c = buf[from + i]!;
      out[to + i] = c;
      classes |= charClasses[c]!;
    }
    this.textEnd = to + length;
    this.textClasses = classes;
    return true;
  }

  /** RFC 7541 §6.3. */
  private resize(buf: Uint8Array, at: number, end: number): boolean {
    let bytesMax = buf[at]! & 0x1f;
    this.pos = at + 1;
    if (bytesMax === 0x1f) {
      bytesMax = this.readInteger(buf, at + 1, end, 0x1f);
      if (bytesMax < 0) return false;
    }
    if (bytesMax > this.tableBytesMax)
      return this.isFailure(`table of ${bytesMax} bytes, ${this.tableBytesMax} allowed`);
    this.table.resize(bytesMax);
    return true;
  }

  /** The rest of an integer whose prefix was full (RFC 7541 §5.1); -1 when it is too large or cut off. */
  private readInteger(buf: Uint8Array, at: number, end: number, prefix: number): number {
    let value = prefix;
    let scale = 1;
    for (let i = 0; i < continuationBytesMax; i++) {
      if (at + i >= end) {
        this.fail('block ends within an integer');
        return -1;
      }
      const byte = buf[at + i]!;
      value += (byte & 0x7f) * scale;
      scale *= 128;
      if (byte < 0x80) {
        this.pos = at + i + 1;
        if (value <= integerMax) return value;
        break;
      }
    }
    this.fail('integer is too large');
    return -1;
  }

  private fail(error: string): null {
    this.error = error;
    return null;
  }

  private isFailure(error: string): false {
    this.error = error;
    return false;
  }
}
