/**
 * DATA that may not be sent yet: it is copied out of the read buffer, small pieces together into one chunk, so that a
 * thousand 10-byte gRPC messages do not pin a thousand buffers. Its size is bounded by the credit that the proxy gave
 * to the sender, never by this queue.
 */

const chunkBytesMin = 1024;
const chunkBytesMax = 16_384;

interface Chunk {
  readonly buf: Buffer;
  start: number;
  end: number;
}

export class SendQueue {
  bytes = 0;
  private readonly chunks: Chunk[] = [];
  private first = 0;

  append(buf: Buffer, start: number, end: number): void {
    let pos = start;
    this.bytes += end - start;
    const last = this.chunks.length > this.first ? this.chunks[this.chunks.length - 1]! : undefined;
    if (last !== undefined) {
      const fits = Math.min(last.buf.length - last.end, end - pos);
      if (fits > 0) {
        buf.copy(last.buf, last.end, pos, pos + fits);
        last.end += fits;
        pos += fits;
      }
    }
    if (pos === end) return;
    const needed = end - pos;
    const doubled = last === undefined ? chunkBytesMin : Math.min(chunkBytesMax, last.buf.length * 2);
    const copy = Buffer.allocUnsafeSlow(Math.max(needed, doubled));
    buf.copy(copy, 0, pos, end);
    this.chunks.push({ buf: copy, start: 0, end: needed });
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

  clear(): void {
    this.chunks.length = 0;
    this.first = 0;
    this.bytes = 0;
  }

  private dropFirst(): void {
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
