/**
 * The buffers that output is written from, shared by all connections and reused: an idle connection holds none. They
 * come in three sizes, because a write that the socket does not take pins its whole buffer for as long as the peer likes:
 * five thousand readers that stand still with a small answer each must not pin 64 KiB each.
 */

/** The largest holds whatever is reserved at once; the middle one a DATA frame of the usual size with some company. */
export const chunkSizes = [4096, 20_480, 65_536] as const;
export const chunkBytesMax = 65_536;
export const largestChunk = chunkSizes.length - 1;

/** Idle buffers that are kept, by size: 2, 2.5 and 8 MiB. The rest is left to the garbage collector. */
const pooledMax = [512, 128, 128] as const;
const pools: readonly Buffer[][] = chunkSizes.map(() => []);

/** The smallest size that holds so many bytes. */
export function sizeFor(bytes: number): number {
  return bytes <= chunkSizes[0] ? 0 : bytes <= chunkSizes[1] ? 1 : largestChunk;
}

export function acquireChunk(size: number): Buffer {
  return pools[size]!.pop() ?? Buffer.allocUnsafeSlow(chunkSizes[size]!);
}

/** Gives a chunk of `Output.take` back after its bytes were written. */
export function releaseChunk(chunk: Buffer): void {
  const size = sizeFor(chunk.length);
  const pool = pools[size]!;
  if (pool.length < pooledMax[size]!) pool.push(chunk);
}
