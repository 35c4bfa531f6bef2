/**
 * Huffman decoding (RFC 7541 §5.2, Appendix B). The code is canonical: the lengths say it all, and the tables are made
 * from them at load. HTTP's characters mostly have codes of five to seven bits, so twelve bits are looked up at a time,
 * for two of them at once (16 KiB). What does not begin with a code of at most twelve bits, and the end of the text,
 * goes through chained tables of eight bits.
 *
 * There is no Huffman encoder: for the fields that are written in full, saving a third of the bytes costs more than
 * sending them, on links between neighbours.
 */
import { charClasses } from '../validate.ts';

/** Code lengths by octet; the last is EOS. */
export const huffmanCodeLengths: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26, 30,
];

const eos = 256;

/** The codes that belong to the lengths: shorter ones first, equal ones by octet, counting up. */
export function huffmanCodes(): Uint32Array {
  const order = huffmanCodeLengths.map((_, symbol) => symbol);
  order.sort((a, b) => huffmanCodeLengths[a]! - huffmanCodeLengths[b]! || a - b);
  const codes = new Uint32Array(huffmanCodeLengths.length);
  let code = 0;
  let length = huffmanCodeLengths[order[0]!]!;
  for (const symbol of order) {
    code <<= huffmanCodeLengths[symbol]! - length;
    length = huffmanCodeLengths[symbol]!;
    codes[symbol] = code;
    code++;
  }
  return codes;
}

/**
 * Entries of the chained tables, table t at t * 256. A code that ends here: octet | bits used here << 8 | `CharClass`
 * of the octet << 12. One that goes on: chained | number of the next table. EOS, which may not occur: `dead`.
 */
const chained = 0x8000;
const dead = 0xffff;
const tables: Uint16Array = makeTables();

function makeTables(): Uint16Array {
  const codes = huffmanCodes();
  const made: Uint16Array[] = [new Uint16Array(256)];
  for (let symbol = 0; symbol <= eos; symbol++) {
    const code = codes[symbol]!;
    let left = huffmanCodeLengths[symbol]!;
    let table = made[0]!;
    while (left > 8) {
      left -= 8;
      const byte = (code >>> left) & 0xff;
      if (table[byte] === 0) {
        table[byte] = chained | made.length;
        made.push(new Uint16Array(256));
      }
      table = made[table[byte]! & 0x7fff]!;
    }
    const first = (code << (8 - left)) & 0xff;
    const entry = symbol === eos ? dead : symbol | (left << 8) | (charClasses[symbol]! << 12);
    table.fill(entry, first, first + (1 << (8 - left)));
  }
  const flat = new Uint16Array(made.length * 256);
  for (let i = 0; i < made.length; i++) flat.set(made[i]!, i * 256);
  return flat;
}

const pairBits = 12;
/**
 * What the next twelve bits begin with: octet | next octet << 8 | bits used << 16 | number of octets << 20 | their
 * `CharClass`es << 24. 0 when a longer code begins there.
 */
const pairs: Uint32Array = makePairs();

function makePairs(): Uint32Array {
  const codes = huffmanCodes();
  /** By window: the symbol that it begins with, | bits << 16; 0 for none. */
  const firsts = new Uint32Array(1 << pairBits);
  for (let symbol = 0; symbol < eos; symbol++) {
    const left = pairBits - huffmanCodeLengths[symbol]!;
    if (left >= 0)
      firsts.fill(symbol | ((pairBits - left) << 16), codes[symbol]! << left, (codes[symbol]! + 1) << left);
  }
  return firsts.map((first, window) => {
    if (first === 0) return 0;
    const used = first >>> 16;
    const one = first & 0xff;
    const second = firsts[(window << used) & ((1 << pairBits) - 1)]!;
    const both = used + (second >>> 16);
    if (second === 0 || both > pairBits) return one | (used << 16) | (1 << 20) | (charClasses[one]! << 24);
    const two = second & 0xff;
    return one | (two << 8) | (both << 16) | (2 << 20) | ((charClasses[one]! | charClasses[two]!) << 24);
  });
}

/** The most that `length` coded octets may write: no code is shorter than five bits, and pairs are written whole. */
export function huffmanDecodedBytesMax(length: number): number {
  return Math.ceil((length * 8) / 5) + 1;
}

/** The `CharClass`es of what was decoded last. */
export let decodedClasses = 0;

/**
 * Decodes buf[start, end) to `out` at `at`, where the caller made room. Returns the end of the octets, or -1 for EOS in
 * the text and for padding that is longer than seven bits or not all ones (RFC 7541 §5.2).
 */
export function huffmanDecode(buf: Uint8Array, start: number, end: number, out: Uint8Array, at: number): number {
  let to = at;
  let window = 0;
  let bits = 0;
  let pos = start;
  let pairClasses = 0;
  for (;;) {
    while (bits < 16 && pos < end) {
      window = (window << 8) | buf[pos++]!;
      bits += 8;
    }
    if (bits < pairBits) break;
    const pair = pairs[(window >>> (bits - pairBits)) & 0xfff]!;
    if (pair === 0) break;
    out[to] = pair;
    out[to + 1] = pair >>> 8;
    to += (pair >>> 20) & 3;
    bits -= (pair >>> 16) & 0xf;
    pairClasses |= pair;
  }

  let table = 0;
  let classes = 0;
  for (;;) {
    while (bits >= 8) {
      const entry = tables[table | ((window >>> (bits - 8)) & 0xff)]!;
      if (entry < chained) {
        out[to++] = entry;
        classes |= entry;
        bits -= (entry >>> 8) & 0xf;
        table = 0;
      } else {
        if (entry === dead) return -1;
        table = (entry & 0x7fff) << 8;
        bits -= 8;
      }
    }
    if (pos === end) break;
    window = (window << 8) | buf[pos++]!;
    bits += 8;
  }
  while (bits > 0) {
    const entry = tables[table | (((window << (8 - bits)) | (0xff >>> bits)) & 0xff)]!;
    const used = (entry >>> 8) & 0xf;
    if (entry >= chained || used > bits) break;
    out[to++] = entry;
    classes |= entry;
    bits -= used;
    table = 0;
  }
  const ones = (1 << bits) - 1;
  if (table !== 0 || (window & ones) !== ones) return -1;
  decodedClasses = (classes >>> 12) | (pairClasses >>> 24);
  return to;
}
