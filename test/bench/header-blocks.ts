/**
 * Header blocks as a gRPC client would send them, made in advance, so that the generator does nothing but copy bytes
 * while the clock runs. Written after nghttp2's encoder: Huffman everywhere, incremental indexing of everything but
 * `:path`, the name taken from the table where it stands. It shares no code with the proxy under test: a mistake made
 * twice would not be seen.
 *
 * The blocks form a cycle. Its first block refers to nothing but RFC 7541's static table, so the cycle may begin
 * again whatever the decoder's dynamic table then holds: the entries it refers to are always newer than the wrap.
 */
import type { Random } from '../../proto/kernel/random.ts';

const tableBytesMax = 4096;
const entryOverhead = 32;
const staticEntries = 61;

/** RFC 7541 Appendix B is a canonical code, so the symbols by code length say all; this is the part we can need. */
const symbolsByLength: readonly (readonly [number, string])[] = [
  [5, '012aceiost'],
  [6, ' %-./3456789=A_bdfghlmnpru'],
  [7, ':BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz'],
  [8, '&*,;XZ'],
];
const huffman = canonicalCode();

export interface HeaderField {
  readonly name: string;
  readonly value: string;
}

/** Names of the static table that we send, with their indices. */
const staticNames = new Map([
  [':authority', 1],
  [':path', 4],
  ['user-agent', 58],
]);
const staticFields = new Map([
  [':method\0GET', 2],
  [':scheme\0http', 6],
]);

export class BlockEncoder {
  private readonly table: HeaderField[] = [];
  private tableBytes = 0;

  encode(fields: readonly HeaderField[], out: number[]): void {
    for (const field of fields) this.encodeField(field, out);
  }

  private encodeField(field: HeaderField, out: number[]): void {
    const known = staticFields.get(`${field.name}\0${field.value}`) ?? this.indexOf(field.name, field.value);
    if (known !== 0) {
      pushInteger(out, 0x80, 7, known);
      return;
    }
    const name = staticNames.get(field.name) ?? this.indexOf(field.name, null);
    if (field.name === ':path') {
      pushInteger(out, 0x00, 4, name);
    } else {
      pushInteger(out, 0x40, 6, name);
      this.insert(field);
    }
    if (name === 0) pushString(out, field.name);
    pushString(out, field.value);
  }

  /** The index of a field, or of any field of that name, in the dynamic table; 0 when there is none. */
  private indexOf(name: string, value: string | null): number {
    const at = this.table.findIndex((entry) => entry.name === name && (value === null || entry.value === value));
    return at < 0 ? 0 : staticEntries + 1 + at;
  }

  private insert(field: HeaderField): void {
    this.table.unshift(field);
    this.tableBytes += entrySize(field);
    while (this.tableBytes > tableBytesMax) {
      const oldest = this.table.pop();
      if (oldest !== undefined) this.tableBytes -= entrySize(oldest);
    }
  }
}

function entrySize(field: HeaderField): number {
  return field.name.length + field.value.length + entryOverhead;
}

function canonicalCode(): Map<string, { bits: number; length: number }> {
  const codes = new Map<string, { bits: number; length: number }>();
  let next = 0;
  let previous = 5;
  for (const [length, symbols] of symbolsByLength) {
    next <<= length - previous;
    previous = length;
    for (const symbol of symbols) codes.set(symbol, { bits: next++, length });
  }
  return codes;
}

function pushInteger(out: number[], pattern: number, prefixBits: number, value: number): void {
  const prefixMax = (1 << prefixBits) - 1;
  if (value < prefixMax) {
    out.push(pattern | value);
    return;
  }
  out.push(pattern | prefixMax);
  let rest = value - prefixMax;
  for (; rest >= 0x80; rest >>>= 7) out.push((rest & 0x7f) | 0x80);
  out.push(rest);
}

/** A Huffman-coded string; every character must be one of `symbolsByLength`. */
function pushString(out: number[], text: string): void {
  let bitLength = 0;
  for (const character of text) bitLength += codeOf(character).length;
  pushInteger(out, 0x80, 7, Math.ceil(bitLength / 8));
  let held = 0;
  let heldBits = 0;
  for (const character of text) {
    const { bits, length } = codeOf(character);
    held = (held << length) | bits;
    heldBits += length;
    while (heldBits >= 8) {
      heldBits -= 8;
      out.push((held >>> heldBits) & 0xff);
      held &= (1 << heldBits) - 1;
    }
  }
  // RFC 7541 §5.2: padded with the first bits of EOS, which are all ones.
  if (heldBits > 0) out.push(((held << (8 - heldBits)) | (0xff >>> heldBits)) & 0xff);
}

function codeOf(character: string): { bits: number; length: number } {
  const code = huffman.get(character);
  if (code === undefined) throw new Error(`no code for ${JSON.stringify(character)}`);
  return code;
}

export interface BlockCycle {
  /** HEADERS frames one after the other, stream ids still zero. */
  readonly frames: Buffer;
  /** Where frame i begins; one more entry than there are frames. */
  readonly offsets: Uint32Array;
}

const frameHeaderBytes = 9;
const headersType = 1;
const endStreamAndHeaders = 0x05;

/**
 * `length` requests of one connection, no two alike in `:path`, `grpc-timeout` and `traceparent`; with `path`, all of
 * them ask for that, and have all the time in the world.
 */
export function makeBlockCycle(connection: number, length: number, random: Random, path?: string): BlockCycle {
  const encoder = new BlockEncoder();
  const bytes: number[] = [];
  const offsets = new Uint32Array(length + 1);
  for (let i = 0; i < length; i++) {
    const block: number[] = [];
    encoder.encode(requestFields(connection, i, random, path), block);
    bytes.push(0, block.length >> 8, block.length & 0xff, headersType, endStreamAndHeaders, 0, 0, 0, 0, ...block);
    offsets[i + 1] = offsets[i]! + frameHeaderBytes + block.length;
  }
  return { frames: Buffer.from(bytes), offsets };
}

function requestFields(connection: number, i: number, random: Random, path: string | undefined): HeaderField[] {
  // What is left of two seconds, in the microseconds gRPC clients send.
  const timeout = `${1_000_000 + ((i * 7 + connection) % 999_983)}u`;
  return [
    { name: ':method', value: 'GET' },
    { name: ':scheme', value: 'http' },
    { name: ':path', value: path ?? `/shop.Orders/Get/${connection}-${i}-${hex(random, 8)}` },
    { name: ':authority', value: 'origin.bench' },
    { name: 'te', value: 'trailers' },
    { name: 'user-agent', value: 'grpc-c-like/1.0 weir-bench' },
    { name: 'x-client-id', value: `client-${connection}` },
    ...(path === undefined ? [{ name: 'grpc-timeout', value: timeout }] : []),
    { name: 'traceparent', value: `00-${hex(random, 32)}-${hex(random, 16)}-01` },
  ];
}

function hex(random: Random, digits: number): string {
  let text = '';
  for (let i = 0; i < digits; i++) text += '0123456789abcdef'[(random.next() * 16) | 0];
  return text;
}
