/**
 * The texts of a block's volatile fields, made together. One call into the runtime makes one string of them all, and
 * cutting it up is cheap; a call for each would be a third of the cost of decoding. Fields exist before their texts do,
 * since later ones may refer to them.
 */
import type { Field } from './field.ts';
import { readOctets } from './octets.ts';

/** Texts beyond this are made apart: a field in a table would keep the whole string alive. */
const sharedBytesMax = 512;
const fieldsMax = 64;
const bytesMax = 4096;

/** Octets of the block: pending texts first, the string being read behind them. One for all: decoding is synchronous. */
export let octets: Buffer = Buffer.allocUnsafeSlow(16_384);
/** The end of the pending texts. */
export let octetsEnd = 0;

const fields: (Field | null)[] = new Array<Field | null>(fieldsMax).fill(null);
const starts = new Int32Array(fieldsMax);
let count = 0;

/** Makes room for a string of so many bytes behind the pending texts. Grows to the largest string ever seen. */
export function makeRoom(bytes: number): void {
  if (octetsEnd + bytes <= octets.length) return;
  const grown = Buffer.allocUnsafeSlow(octetsEnd + bytes);
  octets.copy(grown, 0, 0, octetsEnd);
  octets = grown;
}

/** The field gets the text that was just read, up to `end`, when settle() comes. */
export function settleLater(field: Field, end: number): void {
  starts[count] = octetsEnd;
  fields[count] = field;
  count++;
  octetsEnd = end;
  if (count === fieldsMax || octetsEnd > bytesMax) settle();
}

/** Gives all pending fields their texts. */
export function settle(): void {
  if (count > 1 && octetsEnd <= sharedBytesMax) {
    const all = readOctets(octets, 0, octetsEnd);
    let end = octetsEnd;
    for (let i = count - 1; i >= 0; i--) {
      const start = starts[i]!;
      fields[i]!.settle(all.substring(start, end));
      fields[i] = null;
      end = start;
    }
  } else {
    let end = octetsEnd;
    for (let i = count - 1; i >= 0; i--) {
      const start = starts[i]!;
      fields[i]!.settle(readOctets(octets, start, end));
      fields[i] = null;
      end = start;
    }
  }
  count = 0;
  octetsEnd = 0;
}
