/**
 * Two HTTP/2 engines joined without sockets, and a reader of what an engine sends: for scripts of frames in, frames out.
 * `cut` splits the bytes wherever the test likes.
 */

import { type ConnectionEvents, Http2Connection } from '../../sidecar/http2/connection.ts';
import { FlowBudget } from '../../sidecar/http2/flow-budget.ts';
import { FrameReader } from '../../sidecar/http2/frame-reader.ts';
import type { HeaderList } from '../../sidecar/http2/hpack/field.ts';
import { type ConnectionLimits, defaultLimits } from '../../sidecar/http2/limits.ts';
import { releaseChunk, type Written } from '../../sidecar/http2/output.ts';
import type { Http2Stream, StreamHandler } from '../../sidecar/http2/stream.ts';

/** A handler that writes down what it hears, and gives credit only when told to. */
export class Recorder implements StreamHandler {
  readonly heads: HeaderList[] = [];
  readonly parts: Buffer[] = [];
  trailers: HeaderList | null = null;
  ended = 0;
  reset: { code: number; cause: number } | null = null;
  owed = 0;

  get content(): Buffer {
    return Buffer.concat(this.parts);
  }

  onHeaders(list: HeaderList, endStream: boolean): void {
    this.heads.push(list);
    if (endStream) this.ended++;
  }

  onData(buf: Buffer, start: number, end: number, endStream: boolean): void {
    this.parts.push(Buffer.from(buf.subarray(start, end)));
    this.owed += end - start;
    if (endStream) this.ended++;
  }

  onTrailers(list: HeaderList): void {
    this.trailers = list;
    this.ended++;
  }

  onReset(code: number, cause: number): void {
    this.reset = { code, cause };
  }
}

export interface Request {
  readonly stream: Http2Stream;
  readonly head: HeaderList;
  readonly handler: Recorder;
}

export class Peer implements ConnectionEvents {
  readonly connection: Http2Connection;
  readonly requests: Request[] = [];
  /** Limits that its peer ran into. */
  readonly limits: number[] = [];
  fatal: { code: number; detail: string } | null = null;
  goaway: number | null = null;

  constructor(isServer: boolean, limits: ConnectionLimits = defaultLimits, budget = new FlowBudget()) {
    this.connection = new Http2Connection(isServer, limits, this, budget);
  }

  onRequest(stream: Http2Stream, head: HeaderList, endStream: boolean): void {
    const handler = new Recorder();
    handler.onHeaders(head, endStream);
    stream.handler = handler;
    this.requests.push({ stream, head, handler });
  }

  onOutput(): void {}

  onCapacity(): void {}

  onGoaway(code: number): void {
    this.goaway = code;
  }

  onLimit(limit: number): void {
    this.limits.push(limit);
  }

  onFatal(code: number, detail: string): void {
    this.fatal = { code, detail };
  }

  /** What it wants to write now; counted as written at once. */
  take(): Buffer {
    const parts: Written[] = [];
    this.connection.take(parts);
    const bytes = Buffer.concat(parts.map(({ chunk, length }) => Buffer.from(chunk.subarray(0, length))));
    for (const { chunk } of parts) releaseChunk(chunk);
    if (parts.length > 0) this.connection.wrote();
    return bytes;
  }

  receive(bytes: Buffer, cut: (left: number) => number = (left) => left): void {
    for (let pos = 0; pos < bytes.length; ) {
      const count = Math.max(1, Math.min(bytes.length - pos, cut(bytes.length - pos)));
      // A copy that is overwritten afterwards, as the shared read buffer is.
      const copy = Buffer.from(bytes.subarray(pos, pos + count));
      this.connection.receive(copy, 0, count);
      copy.fill(0xee);
      pos += count;
    }
  }
}

/** Carries bytes both ways until both are silent. */
export function settle(a: Peer, b: Peer, cut?: (left: number) => number): void {
  for (let round = 0; round < 10_000; round++) {
    const [fromA, fromB] = [a.take(), b.take()];
    if (fromA.length === 0 && fromB.length === 0) return;
    b.receive(fromA, cut);
    a.receive(fromB, cut);
  }
  throw new Error('the peers never fell silent');
}

export interface SeenFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** The frames in what an engine wrote. */
export function framesOf(bytes: Buffer): SeenFrame[] {
  const frames: SeenFrame[] = [];
  const reader = new FrameReader({
    isReading: true,
    onFrame: (type, flags, streamId, buf, start, end) =>
      frames.push({ type, flags, streamId, payload: Buffer.from(buf.subarray(start, end)) }),
    onData: (streamId, flags, buf, start, end) =>
      frames.push({ type: 0, flags, streamId, payload: Buffer.from(buf.subarray(start, end)) }),
    onFrameError: (code, detail) => {
      throw new Error(`frame error ${code}: ${detail}`);
    },
  });
  reader.push(bytes, 0, bytes.length);
  return frames;
}

/** A frame as a peer might send it, right or wrong. */
export function frame(
  type: number,
  flags: number,
  streamId: number,
  payload: Buffer | string = Buffer.alloc(0),
): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload, 'hex') : payload;
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, body]);
}
