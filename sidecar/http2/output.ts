/**
 * What a connection wants to write: frames are serialised straight into pooled buffers, and the shell takes all of them
 * in one write per turn of the loop. A buffer returns to its pool only after the socket accepted its bytes: reusing one
 * earlier is the classic corruption.
 *
 * The size of a connection's buffers follows what it writes in a turn: the next size as soon as one is too small, back
 * when several turns in a row needed far less.
 */
import { acquireChunk, chunkSizes, largestChunk, releaseChunk, sizeFor } from './output-chunks.ts';

export { releaseChunk } from './output-chunks.ts';

/** So many turns with little to write make the buffers smaller again. */
const quietTurnsMax = 16;

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
  /** Index of the size to begin with. */
  private size = 0;
  private quietTurns = 0;

  get bytes(): number {
    return this.fullBytes + this.position;
  }

  /** Makes room for `count` (≤ 64 KiB) contiguous bytes and returns the chunk; they begin at `position`. */
  reserve(count: number): Buffer {
    let chunk = this.chunk;
    if (chunk === null) {
      chunk = acquireChunk(Math.max(this.size, sizeFor(count)));
      this.chunk = chunk;
    } else if (this.position + count > chunk.length) {
      this.full.push({ chunk, length: this.position });
      this.fullBytes += this.position;
      if (this.size < largestChunk) this.size++;
      chunk = acquireChunk(Math.max(this.size, sizeFor(count)));
      this.chunk = chunk;
      this.position = 0;
    }
    return chunk;
  }

  /** Hands everything over, in order. The caller releases each chunk once it is written. */
  take(into: Written[]): void {
    this.settleSize();
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

  private settleSize(): void {
    if (this.size === 0) return;
    if (this.bytes * 2 > chunkSizes[this.size - 1]!) this.quietTurns = 0;
    else if (++this.quietTurns >= quietTurnsMax) {
      this.size--;
      this.quietTurns = 0;
    }
  }
}
