/**
 * Where gRPC messages begin in a stream of bytes: five bytes (a flag and the length) in front of each, however the
 * content was cut into frames (gRPC over HTTP/2, "Length-Prefixed-Message").
 */
const prefixBytes = 5;

export class MessageStarts {
  /** Offsets of the messages that have not begun to go on, from the first byte of the stream. */
  private starts: number[] = [];
  private first = 0;
  private received = 0;
  private released = 0;
  /** Of the message being read: prefix bytes seen, its length so far, content still to come. */
  private prefix = 0;
  private length = 0;
  private left = 0;

  scan(buf: Buffer, start: number, end: number): void {
    let pos = start;
    while (pos < end) {
      if (this.left > 0) {
        const count = Math.min(this.left, end - pos);
        this.left -= count;
        pos += count;
        continue;
      }
      if (this.prefix === 0) {
        this.starts.push(this.received + pos - start);
        this.length = 0;
      } else this.length = this.length * 256 + buf[pos]!;
      pos++;
      if (++this.prefix < prefixBytes) continue;
      this.prefix = 0;
      this.left = this.length;
    }
    this.received += end - start;
  }

  /** How many bytes may go on so that `messages` more begin, and no further one. */
  bytesUntilStart(messages: number): number {
    const at = this.starts[this.first + messages];
    return at === undefined ? Number.POSITIVE_INFINITY : at - this.released;
  }

  /** So many bytes went on. Answers whether a message began among them. */
  release(bytes: number): boolean {
    this.released += bytes;
    const before = this.first;
    while (this.first < this.starts.length && this.starts[this.first]! < this.released) this.first++;
    const began = this.first > before;
    if (this.first === this.starts.length) {
      this.starts.length = 0;
      this.first = 0;
    } else if (this.first >= 1024) {
      this.starts = this.starts.slice(this.first);
      this.first = 0;
    }
    return began;
  }
}
