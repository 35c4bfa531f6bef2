/**
 * Another implementation's encoder, for tests and measurements: it codes like nghttp2 (Huffman where shorter, everything
 * into the table but `:path` and what the caller names), slowly and independently of ours.
 */
import { huffmanCodeLengths, huffmanCodes } from '../../../sidecar/http2/hpack/huffman.ts';
import { staticTable } from '../../../sidecar/http2/hpack/static-table.ts';

export type Pair = readonly [name: string, value: string];

const codes = huffmanCodes();

export function huffmanEncode(text: string): Buffer {
  const bytes: number[] = [];
  let bits = '';
  for (const byte of Buffer.from(text, 'latin1')) {
    bits += codes[byte]!.toString(2).padStart(huffmanCodeLengths[byte]!, '0');
  }
  bits = bits.padEnd(Math.ceil(bits.length / 8) * 8, '1');
  for (let i = 0; i < bits.length; i += 8) bytes.push(Number.parseInt(bits.slice(i, i + 8), 2));
  return Buffer.from(bytes);
}

export function integer(pattern: number, prefixBits: number, value: number): Buffer {
  const prefix = 2 ** prefixBits - 1;
  if (value < prefix) return Buffer.from([pattern | value]);
  const bytes = [pattern | prefix];
  let rest = value - prefix;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}

export function text(value: string): Buffer {
  const raw = Buffer.from(value, 'latin1');
  const coded = huffmanEncode(value);
  return coded.length < raw.length
    ? Buffer.concat([integer(0x80, 7, coded.length), coded])
    : Buffer.concat([integer(0, 7, raw.length), raw]);
}

export class PeerEncoder {
  private entries: Pair[] = [];
  private readonly unindexed: ReadonlySet<string>;
  private readonly tableBytesMax: number;

  constructor(unindexed: readonly string[] = [':path'], tableBytesMax = 4096) {
    this.unindexed = new Set(unindexed);
    this.tableBytesMax = tableBytesMax;
  }

  encode(pairs: readonly Pair[], neverIndexed: readonly string[] = []): Buffer {
    return Buffer.concat(pairs.map((pair) => this.encodeOne(pair, neverIndexed.includes(pair[0]))));
  }

  private encodeOne([name, value]: Pair, never: boolean): Buffer {
    const all: Pair[] = [
      ...staticTable.slice(1).map((field): Pair => [field?.name ?? '', field?.value ?? '']),
      ...this.entries,
    ];
    const whole = all.findIndex((entry) => entry[0] === name && entry[1] === value);
    if (whole >= 0 && !never) return integer(0x80, 7, whole + 1);
    const named = all.findIndex((entry) => entry[0] === name) + 1;
    const indexed = !never && !this.unindexed.has(name);
    const head = indexed ? integer(0x40, 6, named) : integer(never ? 0x10 : 0, 4, named);
    if (indexed) {
      this.entries.unshift([name, value]);
      while (
        this.entries.reduce((sum, entry) => sum + entry[0].length + entry[1].length + 32, 0) > this.tableBytesMax
      ) {
        this.entries.pop();
      }
    }
    return Buffer.concat(named > 0 ? [head, text(value)] : [head, text(name), text(value)]);
  }
}
