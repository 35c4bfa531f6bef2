/**
 * Content that proves its own place: byte `offset` of the message `seed` is known, so bytes lost, doubled, swapped or
 * sent to another stream are seen at once, and nobody has to keep what was sent.
 */

/** A prime, so that no power of two brings the same bytes again. */
const period = 65_521;
/** Longest piece that can be had in one call. */
export const pieceBytesMax = 1 << 20;

const ring = Buffer.alloc(period + pieceBytesMax);
let state = 0x2545f491;
for (let i = 0; i < ring.length; i++) {
  if (i >= period) ring[i] = ring[i - period]!;
  else {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    ring[i] = state;
  }
}

/** Bytes [from, to) of a message; at most `pieceBytesMax` at a time. */
export function contentOf(seed: number, from: number, to: number): Buffer {
  const at = (seed * 7919 + from) % period;
  return ring.subarray(at, at + to - from);
}

/** Whether buf[start, end) is what stands at `from` in the message. */
export function isContentOf(seed: number, from: number, buf: Buffer, start: number, end: number): boolean {
  return contentOf(seed, from, from + end - start).compare(buf, start, end) === 0;
}
