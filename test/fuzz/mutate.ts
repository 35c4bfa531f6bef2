/** Changes to bytes that know nothing of what they mean, and the dice that all mutators share. */
import type { Random } from '../../proto/kernel/random.ts';
import { inputBytesMax } from './target.ts';

/** Uniform in [0, bound). */
export function pick(random: Random, bound: number): number {
  return Math.floor(random.next() * bound);
}

export function pickOf<T>(random: Random, items: readonly T[]): T {
  const item = items[pick(random, items.length)];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
}

const edges = [0, 1, 2, 4, 8, 0x0a, 0x0d, 0x20, 0x3a, 0x3f, 0x40, 0x7f, 0x80, 0xbe, 0xff];

/** One to four changes: bits, edge values, copies, insertions, removals, and a splice with another input. */
export function mutateBytes(input: Buffer, other: Buffer, random: Random): Buffer {
  let bytes: Buffer = Buffer.from(input);
  for (let changes = 1 + pick(random, 4); changes > 0; changes--) bytes = changeOnce(bytes, other, random);
  return bytes.subarray(0, inputBytesMax);
}

function changeOnce(bytes: Buffer, other: Buffer, random: Random): Buffer {
  const at = pick(random, bytes.length + 1);
  const length = 1 + pick(random, 16);
  switch (pick(random, 7)) {
    case 0:
      if (at < bytes.length) bytes[at]! ^= 1 << pick(random, 8);
      return bytes;
    case 1:
      if (at < bytes.length) bytes[at] = pickOf(random, edges);
      return bytes;
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    case 3:
      return Buffer.concat([bytes.subarray(0, at), Buffer.alloc(length, pick(random, 256)), bytes.subarray(at)]);
    case 4: {
      const from = pick(random, bytes.length);
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(from, from + length * 4), bytes.subarray(at)]);
    }
    case 5: {
      const from = pick(random, other.length);
      return Buffer.concat([bytes.subarray(0, at), other.subarray(from, from + length * 8), bytes.subarray(at)]);
    }
    default:
      if (at < bytes.length) bytes[at] = pick(random, 256);
      return bytes;
  }
}

/** Halves, quarters, … down to single bytes, behind the first `fixed` bytes. */
export function byteParts(length: number, fixed: number): [number, number][] {
  const parts: [number, number][] = [];
  for (let size = Math.ceil((length - fixed) / 2); size >= 1; size = size > 1 ? Math.ceil(size / 2) : 0) {
    for (let at = fixed; at < length; at += size) parts.push([at, Math.min(length, at + size)]);
  }
  return parts;
}
