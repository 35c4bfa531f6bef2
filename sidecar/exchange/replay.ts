/**
 * What a request has sent so far, kept until its answer begins: the upstream may refuse it unread (REFUSED_STREAM, or
 * above the last stream of a GOAWAY), and then it is sent again elsewhere. Most requests are small; one that has sent
 * more than this is not worth the memory, and fails instead. Replays are pooled with a small buffer each, since every
 * request with content needs one for a moment and nearly none is ever used.
 */
import { defaultWindowBytes } from '../http2/constants.ts';
import type { SendQueue } from '../http2/send-queue.ts';

export const replayBytesMax = 16_384;
/** What a pooled replay holds without another buffer. */
const smallBytes = 1024;
/** Idle replays, 1 KiB each. */
const pooledMax = 256;

const pool: Replay[] = [];

export class Replay {
  private readonly small = Buffer.allocUnsafeSlow(smallBytes);
  private kept: Buffer = this.small;
  private length = 0;
  private isPossible = true;

  static acquire(): Replay {
    return pool.pop() ?? new Replay();
  }

  /** Copies buf[start, end). */
  keep(buf: Buffer, start: number, end: number): void {
    if (!this.isPossible) return;
    const { length } = this;
    const total = length + end - start;
    if (total > replayBytesMax) {
      this.kept = this.small;
      this.isPossible = false;
      return;
    }
    if (total > this.kept.length) {
      const grown = Buffer.allocUnsafeSlow(Math.min(replayBytesMax, total * 2));
      this.kept.copy(grown, 0, 0, length);
      this.kept = grown;
    }
    buf.copy(this.kept, length, start, end);
    this.length = total;
  }

  /** All that was sent, valid until `release`; null when it was too much. */
  content(): Buffer | null {
    return this.isPossible ? this.kept.subarray(0, this.length) : null;
  }

  /** Nobody needs it any more, its owner included. */
  release(): void {
    this.kept = this.small;
    this.length = 0;
    this.isPossible = true;
    if (pool.length < pooledMax) pool.push(this);
  }
}

/** The replay with buf[start, end) too; made when there was none. */
export function keptIn(replay: Replay | null, buf: Buffer, start: number, end: number): Replay | null {
  if (start === end) return replay;
  const kept = replay ?? Replay.acquire();
  kept.keep(buf, start, end);
  return kept;
}

/** All of a request's content that came: it waits, or was sent. null when that is more than is kept. */
export function contentOf(held: SendQueue | null, replay: Replay | null): Buffer | null {
  if (held === null) return replay === null ? Buffer.alloc(0) : replay.content();
  if (held.bytes > replayBytesMax) return null;
  const bytes = Buffer.allocUnsafe(held.bytes);
  held.moveTo(bytes, 0, bytes.length);
  held.append(bytes, 0, bytes.length);
  return bytes;
}

/** How much content can come before there is an upstream: what the stream's window allows. */
export function heldContentMax(contentLength: number): number {
  return contentLength >= 0 && contentLength < defaultWindowBytes ? contentLength : defaultWindowBytes;
}
