/**
 * What a request has sent so far, kept until its answer begins: the upstream may refuse it unread (REFUSED_STREAM, or
 * above the last stream of a GOAWAY), and then it is sent again elsewhere. Most requests are small; one that has sent
 * more than this is not worth the memory, and fails instead.
 */

export const replayBytesMax = 16_384;

export class Replay {
  private kept: Buffer | null = null;
  private length = 0;
  private isPossible = true;

  /** Copies buf[start, end); small requests share one pooled buffer of node's. */
  keep(buf: Buffer, start: number, end: number): void {
    if (!this.isPossible || start === end) return;
    const total = this.length + end - start;
    if (total > replayBytesMax) return this.forget();
    if (this.kept === null || this.kept.length < total) {
      const grown = Buffer.allocUnsafe(this.kept === null ? total : Math.min(replayBytesMax, total * 2));
      this.kept?.copy(grown, 0, 0, this.length);
      this.kept = grown;
    }
    buf.copy(this.kept, this.length, start, end);
    this.length = total;
  }

  /** All that was sent, null when it cannot be had any more. */
  content(): Buffer | null {
    if (!this.isPossible) return null;
    return this.kept === null ? Buffer.alloc(0) : this.kept.subarray(0, this.length);
  }

  /** The answer has begun, or there is too much. */
  forget(): void {
    this.kept = null;
    this.length = 0;
    this.isPossible = false;
  }
}
