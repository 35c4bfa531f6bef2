/**
 * One end of an HTTP/2 connection as the socket's shell drives it (sidecar/io/http2-socket.ts), without the socket: at
 * most one write is under way, one flush a turn, and a socket that can be blocked for as long as the test likes. What
 * it wrote waits in `wire` for whoever carries it to the other end.
 */
import { Http2Connection } from '../../../sidecar/http2/connection.ts';
import type { ConnectionEvents } from '../../../sidecar/http2/connection-events.ts';
import type { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import { type ConnectionLimits, defaultLimits } from '../../../sidecar/http2/limits.ts';
import { releaseChunk, type Written } from '../../../sidecar/http2/output.ts';
import type { Http2Stream } from '../../../sidecar/http2/stream.ts';
import { EndAudit } from './end-audit.ts';

export type OnRequest = (stream: Http2Stream, head: HeaderList, endStream: boolean) => void;

export class ModelEnd implements ConnectionEvents {
  readonly connection: Http2Connection;
  readonly audit: EndAudit;
  /** Accepted by the socket and not yet carried to the other end. */
  wire: Buffer[] = [];
  fatal: { code: number; detail: string } | null = null;
  capacity: () => void = () => {};
  /** The bounds that the other end ran into. */
  readonly limits: number[] = [];
  private readonly request: OnRequest;
  private readonly writing: Written[] = [];
  private isWriting = false;
  private isBlocked = false;
  private flushIsDue = true;

  constructor(isServer: boolean, request: OnRequest = () => {}, limits: ConnectionLimits = defaultLimits) {
    this.audit = new EndAudit(isServer);
    this.request = request;
    this.connection = new Http2Connection(isServer, limits, this);
  }

  onRequest(stream: Http2Stream, head: HeaderList, endStream: boolean): void {
    if (this.fatal !== null) throw new Error('a request after the end of the connection');
    this.request(stream, head, endStream);
  }

  onOutput(): void {
    this.flushIsDue = true;
  }

  onCapacity(): void {
    this.capacity();
  }

  onGoaway(): void {}

  onLimit(limit: number): void {
    this.limits.push(limit);
  }

  onFatal(code: number, detail: string): void {
    if (this.fatal !== null) throw new Error('the connection failed twice');
    this.fatal = { code, detail };
  }

  /** The socket takes nothing until `unblock`. */
  block(): void {
    this.isBlocked = true;
  }

  unblock(): void {
    this.isBlocked = false;
    if (this.isWriting) this.finishWrite();
  }

  get isStuck(): boolean {
    return this.isBlocked;
  }

  /** The end of a turn of the loop. Answers whether anything was written. */
  turn(): boolean {
    if (!this.flushIsDue) return false;
    this.flushIsDue = false;
    if (this.isWriting) return false;
    this.connection.take(this.writing);
    if (this.writing.length === 0) return false;
    this.isWriting = true;
    if (!this.isBlocked) this.finishWrite();
    return true;
  }

  /** The wire brings bytes, in pieces; each is overwritten afterwards, as the shared read buffer is. */
  arrive(bytes: Buffer, cut: Cut = whole): void {
    // Nothing is written between the pieces, so the audit may hear of them together.
    this.audit.arrives(bytes);
    const copy = Buffer.from(bytes);
    for (let pos = 0; pos < copy.length; ) {
      const end = pos + Math.max(1, Math.min(copy.length - pos, cut(copy.length - pos)));
      this.connection.receive(copy, pos, end);
      copy.fill(0xee, pos, end);
      pos = end;
    }
  }

  private finishWrite(): void {
    this.isWriting = false;
    const parts = this.writing.map(({ chunk, length }) => Buffer.from(chunk.subarray(0, length)));
    for (const { chunk } of this.writing) releaseChunk(chunk);
    this.writing.length = 0;
    const bytes = Buffer.concat(parts);
    this.audit.writes(bytes);
    this.wire.push(bytes);
    this.connection.wrote();
  }
}

/** How a wire cuts what it carries: given what there is, how much comes next. */
export type Cut = (available: number) => number;

export const whole: Cut = (available) => available;

/** Carries what waits at `from` to `to`, in pieces; at most `most` bytes. Answers how many. */
export function carry(from: ModelEnd, to: ModelEnd, cut: Cut = whole, most = Number.POSITIVE_INFINITY): number {
  if (from.wire.length === 0) return 0;
  const bytes = Buffer.concat(from.wire);
  from.wire.length = 0;
  const end = Math.min(bytes.length, most);
  to.arrive(bytes.subarray(0, end), cut);
  if (end < bytes.length) from.wire.push(bytes.subarray(end));
  return end;
}

/** Turns of the loop until nothing moves any more. */
export function settleEnds(pairs: readonly (readonly [ModelEnd, ModelEnd])[], cut: Cut = whole): void {
  for (let turn = 0; turn < 100_000; turn++) {
    let moved = false;
    for (const [a, b] of pairs) {
      if (a.turn()) moved = true;
      if (b.turn()) moved = true;
      if (carry(a, b, cut) > 0) moved = true;
      if (carry(b, a, cut) > 0) moved = true;
    }
    if (!moved) return;
  }
  throw new Error('the connections never fell silent');
}
