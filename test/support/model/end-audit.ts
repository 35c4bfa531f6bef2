/**
 * Watches the wire at one end of a connection: what arrives there and what that end writes, in order, and holds it to
 * the rules that can be told from the frames alone. A law that is broken is thrown as an Error, so that every test that
 * uses the model tests these:
 *
 * - whole frames of legal sizes, in legal order; header blocks that another decoder understands
 * - DATA never above the smaller of the two windows, whatever SETTINGS came in between (a changed initial window holds
 *   from the ACK on, which is where both ends agree that it does)
 * - nothing on a stream after its END_STREAM or RST_STREAM, and nothing at all after a fatal GOAWAY
 * - content-length is the sum of DATA
 */
import { Flag, FrameType, SettingId } from '../../../sidecar/http2/constants.ts';
import { HpackDecoder } from '../../../sidecar/http2/hpack/decoder.ts';
import { FrameParser, type WireFrame } from './frame-parser.ts';

class AuditedStream {
  /** WINDOW_UPDATE minus DATA; the initial window comes on top. */
  credit = 0;
  ended = false;
  reset = false;
  headSeen = false;
  contentLength = -1;
  content = 0;
}

export class EndAudit {
  readonly isServer: boolean;
  /** Of the frames that this end wrote. */
  framesOut = 0;
  framesIn = 0;
  dataOut = 0;
  /** The smallest room that DATA left in a window; below zero would have been thrown. */
  connectionWindow = 65_535;
  initialWindow = 65_535;
  /** What the other end may still send on the connection, as far as whole frames tell. */
  peerWindow = 65_535;
  fatalCode = 0;
  isFatal = false;
  /** Hears of every frame, in either direction. */
  onFrame: ((frame: WireFrame, isOut: boolean) => void) | null = null;
  private readonly out: FrameParser;
  private readonly in: FrameParser;
  private readonly decoder = new HpackDecoder({ caching: false, listBytesMax: 1 << 20, fieldsMax: 10_000 });
  private readonly streams = new Map<number, AuditedStream>();
  /** Initial windows of SETTINGS that arrived and were not acknowledged yet; -1 where one says nothing of it. */
  private readonly unacknowledged: number[] = [];
  private block: { frame: WireFrame; parts: Buffer[] } | null = null;

  constructor(isServer: boolean) {
    this.isServer = isServer;
    this.out = new FrameParser(!isServer);
    this.in = new FrameParser(isServer);
  }

  /** Bytes that this end is about to read. They may be anything. */
  arrives(bytes: Buffer): void {
    let frames: WireFrame[];
    try {
      frames = this.in.push(bytes);
    } catch {
      return;
    }
    for (const frame of frames) this.onFrameIn(frame);
  }

  /** Bytes that this end wrote. They must be right. */
  writes(bytes: Buffer): void {
    for (const frame of this.out.push(bytes)) this.onFrameOut(frame);
    if (this.out.rest > 0) this.broken('a write that ends within a frame');
  }

  windowOf(streamId: number): number {
    return this.initialWindow + this.stream(streamId).credit;
  }

  /** What the end may send on a stream now. */
  roomOf(streamId: number): number {
    return Math.min(this.connectionWindow, this.windowOf(streamId));
  }

  /** What it may send by every reading: under the initial windows that it has heard of and not yet acknowledged, too. */
  sureRoomOf(streamId: number): number {
    const initial = this.unacknowledged.reduce(
      (least, window) => (window < 0 ? least : Math.min(least, window)),
      2 ** 31,
    );
    return Math.min(this.roomOf(streamId), initial + this.stream(streamId).credit);
  }

  private onFrameIn(frame: WireFrame): void {
    this.framesIn++;
    this.onFrame?.(frame, false);
    const { type, flags, streamId, payload } = frame;
    if (type === FrameType.data) this.peerWindow -= payload.length;
    else if (type === FrameType.windowUpdate && payload.length === 4) {
      const increment = payload.readUInt32BE(0) & 0x7fffffff;
      if (streamId === 0) this.connectionWindow += increment;
      else this.stream(streamId).credit += increment;
    } else if (type === FrameType.settings && (flags & Flag.ack) === 0) {
      let window = -1;
      for (let at = 0; at + 6 <= payload.length; at += 6) {
        if (payload.readUInt16BE(at) === SettingId.initialWindowSize) window = payload.readUInt32BE(at + 2);
      }
      this.unacknowledged.push(window);
    }
  }

  private onFrameOut(frame: WireFrame): void {
    this.framesOut++;
    this.onFrame?.(frame, true);
    const { type, flags, streamId, payload } = frame;
    if (this.isFatal) this.broken(`frame of type ${type} after a fatal GOAWAY`);
    if (payload.length > 16_384) this.broken(`frame of ${payload.length} bytes`);
    if (this.framesOut === 1 && type !== FrameType.settings) this.broken('first frame is not SETTINGS');
    if ((this.block !== null) !== (type === FrameType.continuation)) this.broken('header block interrupted');
    switch (type) {
      case FrameType.data:
        return this.onDataOut(frame);
      case FrameType.headers:
      case FrameType.continuation:
        return this.onHeadersOut(frame);
      case FrameType.rstStream:
        if (streamId === 0 || payload.length !== 4) this.broken('malformed RST_STREAM');
        this.stream(streamId).reset = true;
        return;
      case FrameType.settings:
        if (streamId !== 0 || payload.length % 6 !== 0) this.broken('malformed SETTINGS');
        if ((flags & Flag.ack) !== 0) this.onSettingsAcknowledged();
        return;
      case FrameType.ping:
        if (streamId !== 0 || payload.length !== 8) this.broken('malformed PING');
        return;
      case FrameType.goaway: {
        if (streamId !== 0 || payload.length < 8) this.broken('malformed GOAWAY');
        const code = payload.readUInt32BE(4);
        if (code !== 0) {
          this.isFatal = true;
          this.fatalCode = code;
        }
        return;
      }
      case FrameType.windowUpdate: {
        const increment = payload.length === 4 ? payload.readUInt32BE(0) : 0;
        if (increment < 1 || increment > 0x7fffffff) this.broken(`WINDOW_UPDATE of ${increment}`);
        if (streamId === 0) this.peerWindow += increment;
        return;
      }
      default:
        this.broken(`frame of type ${type}`);
    }
  }

  private onSettingsAcknowledged(): void {
    const window = this.unacknowledged.shift();
    if (window === undefined) return this.broken('SETTINGS acknowledged that nobody sent');
    if (window >= 0) this.initialWindow = window;
  }

  private onDataOut({ flags, streamId, payload }: WireFrame): void {
    const stream = this.stream(streamId);
    if (streamId === 0 || stream.ended || stream.reset || !stream.headSeen) this.broken(`DATA on stream ${streamId}`);
    const count = payload.length;
    if (count > 0 && count > this.roomOf(streamId)) {
      const windows = `${this.windowOf(streamId)} of stream ${streamId} and ${this.connectionWindow} of the connection`;
      this.broken(`DATA of ${count} bytes against windows ${windows}`);
    }
    stream.credit -= count;
    this.connectionWindow -= count;
    this.dataOut += count;
    stream.content += count;
    if ((flags & Flag.endStream) !== 0) this.onEndOut(streamId, stream);
  }

  private onHeadersOut(frame: WireFrame): void {
    const { flags, streamId, payload } = frame;
    if (frame.type === FrameType.headers) {
      const stream = this.stream(streamId);
      if (streamId === 0 || stream.ended || stream.reset) this.broken(`HEADERS on stream ${streamId}`);
      this.block = { frame, parts: [payload] };
    } else this.block?.parts.push(payload);
    const block = this.block;
    if (block === null || (flags & Flag.endHeaders) === 0) return;
    if (block.frame.streamId !== streamId) this.broken('CONTINUATION of another stream');
    this.block = null;
    const bytes = Buffer.concat(block.parts);
    const list = this.decoder.decode(bytes, 0, bytes.length);
    if (list === null) return this.broken(`header block: ${this.decoder.error}`);
    const stream = this.stream(streamId);
    const isFirst = !stream.headSeen;
    const isInformational = this.isServer && list.status >= 100 && list.status < 200;
    if (!isInformational) stream.headSeen = true;
    const ends = (block.frame.flags & Flag.endStream) !== 0;
    if (isFirst && !ends && !isInformational) stream.contentLength = list.contentLength;
    if (!isFirst && !ends) this.broken(`a second head on stream ${streamId}`);
    if (ends) this.onEndOut(streamId, stream);
  }

  private onEndOut(streamId: number, stream: AuditedStream): void {
    stream.ended = true;
    if (stream.contentLength >= 0 && stream.contentLength !== stream.content) {
      this.broken(`${stream.content} bytes on stream ${streamId}, content-length ${stream.contentLength}`);
    }
  }

  private stream(id: number): AuditedStream {
    let stream = this.streams.get(id);
    if (stream === undefined) {
      stream = new AuditedStream();
      this.streams.set(id, stream);
    }
    return stream;
  }

  private broken(law: string): never {
    throw new Error(`the ${this.isServer ? 'server' : 'client'} wrote what it must not: ${law}`);
  }
}
