/**
 * The one buffer that all sockets read into. libuv asks for memory, reads and calls back without anything in between,
 * and whoever is called consumes the bytes before it returns; so idle connections hold no read buffer at all.
 */
export const readSlab: Buffer = Buffer.allocUnsafeSlow(65_536);

/** The bytes as something that may be kept: a copy of what lies in the slab, else the memory that they came in. */
export function ownBytes(buf: Buffer, start: number, end: number): Buffer {
  if (buf.buffer === readSlab.buffer) return Buffer.from(buf.subarray(start, end));
  return start === 0 && end === buf.length ? buf : buf.subarray(start, end);
}
