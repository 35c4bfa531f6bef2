/**
 * An engine under fire: bytes of any kind go in, and what must hold whatever they are is looked at. Nothing is thrown,
 * nothing is heard after an end, the output is a legal sequence of frames, little comes out and little is done for a
 * byte that came in, and in the end every stream and all credit are given back. Property tests and the fuzzer share it.
 */
import { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import { defaultLimits } from '../../../sidecar/http2/limits.ts';
import type { Http2Stream, StreamHandler } from '../../../sidecar/http2/stream.ts';
import { type Cut, ModelEnd, whole } from './model-end.ts';

/** How the end at test behaves; bits, so that a byte of fuzz can choose. */
export const Manner = {
  isClient: 1,
  /** Answers nothing and credits nothing. */
  isMute: 2,
  /** Resets every stream at its first content. */
  resets: 4,
  /** Its socket takes nothing after the greeting. */
  isBlocked: 8,
  hasSmallLimits: 16,
  /** Byte by byte. */
  isCut: 32,
} as const;

const smallLimits = {
  ...defaultLimits,
  concurrentStreamsMax: 3,
  connectionWindowBytes: 65_535,
  headerListBytesMax: 4096,
  headerFieldsMax: 16,
  controlFramesMax: 16,
};
const response = HeaderList.of([
  [':status', '200'],
  ['server', 'test'],
]);
const get = HeaderList.of([
  [':method', 'GET'],
  [':scheme', 'http'],
  [':authority', 'a'],
  [':path', '/'],
]);
const trailers = HeaderList.of([['grpc-status', '0']]);

class HostileStream implements StreamHandler {
  readonly stream: Http2Stream;
  private readonly end: HostileEnd;
  private isOver = false;
  private isReset = false;

  constructor(end: HostileEnd, stream: Http2Stream) {
    this.end = end;
    this.stream = stream;
  }

  onHeaders(list: HeaderList, endStream: boolean): void {
    this.heard('head', list.fields.length);
    if (endStream) this.isOver = true;
  }

  onData(_buf: Buffer, start: number, end: number, endStream: boolean): void {
    this.heard('data', 0);
    if (endStream) this.isOver = true;
    const { manner } = this.end;
    if ((manner & Manner.isMute) !== 0) return;
    if ((manner & Manner.resets) !== 0) {
      this.isReset = true;
      return this.stream.reset(8);
    }
    this.stream.credit(end - start);
    if (!this.end.end.connection.isServer) return;
    // An echo of what came, without keeping it.
    this.stream.sendData(Buffer.alloc(end - start), 0, end - start, false);
    if (endStream) this.stream.sendTrailers(trailers);
  }

  onTrailers(list: HeaderList): void {
    this.heard('trailers', list.fields.length);
    this.isOver = true;
    if ((this.end.manner & Manner.isMute) === 0) this.stream.sendTrailers(trailers);
  }

  onReset(code: number, cause: number): void {
    if (this.isReset) throw new Error('heard a second reset');
    this.isReset = true;
    this.end.onCall(`reset ${code} ${cause}`);
  }

  private heard(what: string, fields: number): void {
    if (this.isOver) throw new Error(`heard ${what} after the end`);
    if (this.isReset) throw new Error(`heard ${what} after a reset`);
    if (this.end.end.fatal !== null) throw new Error(`heard ${what} after the end of the connection`);
    this.end.fields += fields;
    this.end.onCall(what);
  }
}

export class HostileEnd {
  readonly manner: number;
  readonly end: ModelEnd;
  /** Calls on handlers, and fields of the lists that they got. */
  calls = 0;
  fields = 0;
  bytesIn = 0;
  bytesOut = 0;
  /** Hears the kind of each call. */
  trace: ((call: string) => void) | null = null;
  private readonly streams: Http2Stream[] = [];

  constructor(manner: number) {
    this.manner = manner;
    const limits = (manner & Manner.hasSmallLimits) !== 0 ? smallLimits : defaultLimits;
    const isServer = (manner & Manner.isClient) === 0;
    this.end = new ModelEnd(isServer, (stream, head, endStream) => this.onRequest(stream, head, endStream), limits);
    this.end.audit.onFrame = (frame, isOut) => {
      if (isOut) this.bytesOut += frame.payload.length + 9;
    };
    this.end.turn();
    if (!isServer) for (let i = 0; i < 4; i++) this.open(i % 2 === 0);
    this.end.turn();
    if ((manner & Manner.isBlocked) !== 0) this.end.block();
  }

  feed(bytes: Buffer): void {
    const cut: Cut = (this.manner & Manner.isCut) !== 0 ? () => 1 : whole;
    this.bytesIn += bytes.length;
    this.end.arrive(bytes, cut);
    this.end.turn();
    this.check();
  }

  /** Ends everything, and looks whether anything is left. */
  finish(): void {
    const { end } = this;
    end.unblock();
    while (end.turn());
    for (const stream of this.streams) stream.reset(8);
    while (end.turn());
    this.check();
    const { connection, audit } = end;
    this.none('streams', connection.streamCount);
    this.none('undrained bytes', end.fatal === null ? connection.receivedUndrainedBytes : 0);
    // A frame cut off at the end counts for the engine and not for the audit.
    if (end.fatal === null && audit.peerWindow < 65_535 / 2 - 16_384) {
      throw new Error(`the peer is left with a window of ${audit.peerWindow}`);
    }
    connection.close();
    this.none('bytes of output', connection.outputQueuedBytes);
  }

  onCall(call: string): void {
    this.calls++;
    this.trace?.(call);
  }

  private onRequest(stream: Http2Stream, head: HeaderList, endStream: boolean): void {
    const handler = new HostileStream(this, stream);
    stream.handler = handler;
    this.streams.push(stream);
    handler.onHeaders(head, endStream);
    if ((this.manner & Manner.isMute) !== 0) return;
    stream.sendHeaders(response, endStream);
  }

  private open(ends: boolean): void {
    const { connection } = this.end;
    if (!connection.canOpenStream) return;
    const handlerOf = (stream: Http2Stream): HostileStream => new HostileStream(this, stream);
    const late: { handler: StreamHandler | null } = { handler: null };
    const stream = connection.request(get, ends, {
      onHeaders: (list, endStream) => late.handler?.onHeaders(list, endStream),
      onData: (buf, start, end, endStream) => late.handler?.onData(buf, start, end, endStream),
      onTrailers: (list) => late.handler?.onTrailers(list),
      onReset: (code, cause) => late.handler?.onReset(code, cause),
    });
    late.handler = handlerOf(stream);
    this.streams.push(stream);
  }

  /** Invariants 10 and 13: what came in bounds what is kept and what was done. */
  private check(): void {
    const { end } = this;
    const greetingBytes = 512;
    // A byte can name a field; 9 bytes make a frame; an answer to a frame is a frame of at most a few fields.
    if (this.fields > this.bytesIn) throw new Error(`${this.fields} fields of ${this.bytesIn} bytes`);
    if (this.calls > this.bytesIn + 8) throw new Error(`${this.calls} calls for ${this.bytesIn} bytes`);
    if (this.bytesOut > greetingBytes + this.bytesIn * 12)
      throw new Error(`${this.bytesOut} bytes for ${this.bytesIn}`);
    const queued = end.connection.outputQueuedBytes;
    if (queued > greetingBytes + this.bytesIn * 12) throw new Error(`${queued} bytes wait for ${this.bytesIn}`);
    if (end.connection.streamCount > 250) throw new Error(`${end.connection.streamCount} streams`);
  }

  private none(what: string, count: number): void {
    if (count !== 0) throw new Error(`${count} ${what} are left`);
  }
}
