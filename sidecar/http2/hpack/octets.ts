/**
 * Octets to strings and back, one character an octet. `toString('latin1')` and `write(…, 'latin1')` do the same after
 * looking at their arguments for longer than the work takes; the methods underneath have been on every Buffer since
 * Node began, only the type definitions leave them out.
 */
declare global {
  interface Buffer<TArrayBuffer extends ArrayBufferLike = ArrayBufferLike> extends Uint8Array<TArrayBuffer> {
    latin1Slice(start: number, end: number): string;
    latin1Write(text: string, offset: number): number;
  }
}

/** From this length on, one call into the runtime is cheaper than a loop. */
const copyLoopLengthMax = 24;

export function readOctets(buf: Buffer, start: number, end: number): string {
  switch (end - start) {
    case 1:
      return String.fromCharCode(buf[start]!);
    case 2:
      return String.fromCharCode(buf[start]!, buf[start + 1]!);
    case 3:
      return String.fromCharCode(buf[start]!, buf[start + 1]!, buf[start + 2]!);
    case 4:
      return String.fromCharCode(buf[start]!, buf[start + 1]!, buf[start + 2]!, buf[start + 3]!);
    default:
      return buf.latin1Slice(start, end);
  }
}

/** Writes the text at `at`, where there must be room for all of it, and returns its end. */
export function writeOctets(text: string, out: Buffer, at: number): number {
  const length = text.length;
  if (length > copyLoopLengthMax) return at + out.latin1Write(text, at);
  for (let i = 0; i < length; i++) out[at + i] = text.charCodeAt(i);
  return at + length;
}
