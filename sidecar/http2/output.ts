/**
 * What a connection wants to write: frames are serialised straight into pooled 64 KiB buffers, and the shell takes all
 * of them in one write per turn of the loop. The pool is shared by all connections, so an idle connection holds no
 * buffer at all. A buffer returns to the pool only after the socket accepted its bytes: reusing one earlier is the
 * classic corruption.
 */

export const chunkBytes = 65_536;

/** Beyond this many idle buffers (16 MiB) the rest is left to the garbage collector. */
const pooledChunksMax = 256;

const pool: Buffer[] = [];

function acquireChunk(): Buffer {
  return pool.pop() ?? Buffer.allocUnsafeSlow(chunkBytes);
}

/** Gives a chunk of `Output.take` back after its bytes were written. */
export function releaseChunk(chunk: Buffer): void {
  if (pool.length < pooledChunksMax) pool.push(chunk);
}

/** Bytes in the order of writing: `length` bytes of `chunk`, which is the writer's until it calls `releaseChunk`. */
export interface Written {
  readonly chunk: Buffer;
  readonly length: number;
}

export class Output {
  /** The chunk being filled and how far; null while there is nothing to write. */
  chunk: Buffer | null = null;
  position = 0;
  /** Bytes of full chunks, waiting in front of the current one. */
  private fullBytes = 0;
  private full: Written[] = [];

  get bytes(): number {
    return this.fullBytes + this.position;
  }

  /** Makes room for `count` (≤ 64 KiB) contiguous bytes and returns the chunk; they begin at `position`. */
  reserve(count: number): Buffer {
    let chunk = this.chunk;
    if (chunk === null) {
      chunk = acquireChunk();
      this.chunk = chunk;
    } else if (this.position + count > chunkBytes) {
      this.full.push({ chunk, length: this.position });
      this.fullBytes += this.position;
      chunk = acquireChunk();
      this.chunk = chunk;
      this.position = 0;
    }
    return chunk;
  }

  /** Bytes left in the current chunk. */
  get room(): number {
    return this.chunk === null ? chunkBytes : chunkBytes - this.position;
  }

  /** Hands everything over, in order. The caller releases each chunk once it is written. */
  take(into: Written[]): void {
    for (const written of this.full) into.push(written);
    this.full.length = 0;
    this.fullBytes = 0;
    if (this.chunk !== null) {
      if (this.position > 0) into.push({ chunk: this.chunk, length: this.position });
      else releaseChunk(this.chunk);
      this.chunk = null;
      this.position = 0;
    }
  }

  /** Drops everything: the connection is gone. */
  clear(): void {
    for (const written of this.full) releaseChunk(written.chunk);
    this.full.length = 0;
    this.fullBytes = 0;
    if (this.chunk !== null) releaseChunk(this.chunk);
    this.chunk = null;
    this.position = 0;
  }
}
