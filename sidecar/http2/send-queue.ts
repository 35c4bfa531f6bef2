/**
 * DATA that may not be sent yet: it is copied out of the read buffer, small pieces together into one chunk, so that a
 * thousand 10-byte gRPC messages do not pin a thousand buffers. How much one queue may hold is bounded by the credit
 * that the proxy gave to the sender; what all of them pin together, chunks and not bytes, is charged to the budget.
 *
 * Chunks come from three pools and go back there: under a slow reader every byte passes through here, and buffers left
 * to the garbage collector would be most of the proxy's memory.
 */
import type { FlowBudget } from './flow-budget.ts';

const chunkSizes = [1024, 4096, 16_384] as const;
const chunkBytesMax = 16_384;
/** Idle buffers that a pool keeps: 4 MiB in the largest one. */
const pooledMax = 256;

const pools: Buffer[][] = chunkSizes.map(() => []);

interface Chunk {
  readonly buf: Buffer;
  start: number;
  end: number;
}

export class SendQueue {
  bytes = 0;
  pinnedBytes = 0;
  private readonly budget: FlowBudget;
  private readonly chunks: Chunk[] = [];
  private first = 0;

  constructor(budget: FlowBudget) {
    this.budget = budget;
  }

  append(buf: Buffer, start: number, end: number): void {
    let pos = start;
    this.bytes += end - start;
    while (pos < end) {
      let last = this.chunks.length > this.first ? this.chunks[this.chunks.length - 1]! : undefined;
      if (last === undefined || last.end === last.buf.length) last = this.addChunk(last, end - pos);
      const count = Math.min(last.buf.length - last.end, end - pos);
      buf.copy(last.buf, last.end, pos, pos + count);
      last.end += count;
      pos += count;
    }
  }

  /** Moves up to `count` bytes to out[at…] and returns how many. */
  moveTo(out: Buffer, at: number, count: number): number {
    let moved = 0;
    while (moved < count && this.first < this.chunks.length) {
      const chunk = this.chunks[this.first]!;
      const part = Math.min(count - moved, chunk.end - chunk.start);
      chunk.buf.copy(out, at + moved, chunk.start, chunk.start + part);
      moved += part;
      chunk.start += part;
      if (chunk.start === chunk.end) this.dropFirst();
    }
    this.bytes -= moved;
    return moved;
  }

  /** Forgets the first `count` bytes. */
  skip(count: number): void {
    let left = Math.min(count, this.bytes);
    this.bytes -= left;
    while (left > 0) {
      const chunk = this.chunks[this.first]!;
      const part = Math.min(left, chunk.end - chunk.start);
      chunk.start += part;
      left -= part;
      if (chunk.start === chunk.end) this.dropFirst();
    }
  }

  /** Forgets the last `count` bytes. */
  dropLast(count: number): void {
    let left = Math.min(count, this.bytes);
    this.bytes -= left;
    while (left > 0) {
      const chunk = this.chunks[this.chunks.length - 1]!;
      const part = Math.min(left, chunk.end - chunk.start);
      chunk.end -= part;
      left -= part;
      if (chunk.start < chunk.end) continue;
      this.chunks.pop();
      this.giveBack(chunk.buf);
    }
    if (this.bytes === 0) this.clear();
  }

  clear(): void {
    for (let i = this.first; i < this.chunks.length; i++) this.giveBack(this.chunks[i]!.buf);
    this.chunks.length = 0;
    this.first = 0;
    this.bytes = 0;
  }

  /** Twice the size of the last one, so that many small pieces cost few chunks and one piece no large one. */
  private addChunk(last: Chunk | undefined, needed: number): Chunk {
    const wanted = Math.max(needed, last === undefined ? 0 : Math.min(chunkBytesMax, last.buf.length * 2));
    const size = wanted <= chunkSizes[0] ? 0 : wanted <= chunkSizes[1] ? 1 : 2;
    const buf = pools[size]!.pop() ?? Buffer.allocUnsafeSlow(chunkSizes[size]!);
    this.pinnedBytes += buf.length;
    this.budget.charge(buf.length);
    const chunk = { buf, start: 0, end: 0 };
    this.chunks.push(chunk);
    return chunk;
  }

  private giveBack(buf: Buffer): void {
    this.pinnedBytes -= buf.length;
    this.budget.release(buf.length);
    const pool = pools[buf.length === chunkSizes[2] ? 2 : buf.length === chunkSizes[1] ? 1 : 0]!;
    if (pool.length < pooledMax) pool.push(buf);
  }

  private dropFirst(): void {
    this.giveBack(this.chunks[this.first]!.buf);
    this.first++;
    if (this.first === this.chunks.length) {
      this.chunks.length = 0;
      this.first = 0;
    } else if (this.first >= 16) {
      this.chunks.splice(0, this.first);
      this.first = 0;
    }
  }
}
