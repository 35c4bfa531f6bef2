/**
 * The frames that carry messages (RFC 9113 §6.1, §6.2, §6.10, §8.1): HEADERS, CONTINUATION, DATA. They become calls on
 * the stream's handler, once all that the RFC demands of a message holds: order, lengths, valid fields.
 */
import type { ConnectionEvents } from './connection-events.ts';
import { ErrorCode, Flag } from './constants.ts';
import type { Drain } from './drain.ts';
import type { Guard } from './guard.ts';
import { HeaderBlock } from './header-block.ts';
import { HpackDecoder } from './hpack/decoder.ts';
import type { HeaderList } from './hpack/field.ts';
import { Limit } from './limit-codes.ts';
import type { ConnectionLimits } from './limits.ts';
import type { Output } from './output.ts';
import type { Receiver } from './receiver.ts';
import type { Http2Stream } from './stream.ts';
import type { StreamTable } from './stream-table.ts';

/** What the message frames need of their connection. */
export interface MessageTarget {
  readonly isServer: boolean;
  readonly peerSettingsSeen: boolean;
  readonly drainSteps: Drain;
  readonly guard: Guard;
  readonly output: Output;
  readonly events: ConnectionEvents;
  exceed(limit: number): void;
  glitch(): void;
  fail(code: number, detail: string): void;
  streamError(streamId: number, code: number): void;
  createStream(id: number): Http2Stream;
  endStream(stream: Http2Stream): void;
  writeReset(streamId: number, code: number): void;
  creditStream(stream: Http2Stream, bytes: number): void;
  giveBack(bytes: number): void;
  wantControlOutput(): void;
}

export class MessageFrames {
  private readonly target: MessageTarget;
  private readonly limits: ConnectionLimits;
  private readonly table: StreamTable;
  private readonly receiver: Receiver;
  private readonly decoder: HpackDecoder;
  private readonly headerBlock: HeaderBlock;
  /** The last HEADERS made its stream depend on itself, a stream error (RFC 7540 §5.3.1). */
  private dependsOnItself = false;

  constructor(target: MessageTarget, limits: ConnectionLimits, table: StreamTable, receiver: Receiver) {
    this.target = target;
    this.limits = limits;
    this.table = table;
    this.receiver = receiver;
    this.headerBlock = new HeaderBlock(limits);
    this.decoder = new HpackDecoder({
      tableBytesMax: limits.decoderTableBytesMax,
      listBytesMax: limits.headerListBytesMax,
      fieldsMax: limits.headerFieldsMax,
      fieldBytesMax: limits.headerFieldBytesMax,
    });
  }

  /** Between HEADERS and the last CONTINUATION no other frame may come. */
  get isInHeaderBlock(): boolean {
    return this.headerBlock.streamId !== 0;
  }

  /** Tells apart the header blocks in several frames, while one is under way; else 0. */
  get unfinished(): number {
    return this.isInHeaderBlock ? -this.headerBlock.begun : 0;
  }

  onData(
    streamId: number,
    flags: number,
    buf: Buffer,
    start: number,
    end: number,
    flowBytes: number,
    last: boolean,
  ): void {
    if (streamId === 0 || this.headerBlock.streamId !== 0 || !this.target.peerSettingsSeen) {
      return this.target.fail(ErrorCode.protocolError, 'DATA where it may not be');
    }
    if (!this.receiver.take(flowBytes))
      return this.target.fail(ErrorCode.flowControlError, 'connection window exceeded');
    const content = end - start;
    const endStream = last && (flags & Flag.endStream) !== 0;
    if (content > 0) this.target.guard.onContent();
    else if (last && !endStream && !this.target.guard.onEmptyData()) return this.target.exceed(Limit.emptyData);
    const stream = this.table.byId.get(streamId);
    if (stream === undefined || stream.remoteClosed) {
      this.target.giveBack(flowBytes);
      if (this.table.isIdle(streamId)) return this.target.fail(ErrorCode.protocolError, 'DATA on an idle stream');
      if (!this.table.wasReset(streamId)) this.target.streamError(streamId, ErrorCode.streamClosed);
      return;
    }
    if (!this.receiver.takeOnStream(stream, flowBytes)) {
      this.target.giveBack(flowBytes);
      return this.target.streamError(streamId, ErrorCode.flowControlError);
    }
    stream.contentReceived += content;
    if (stream.contentLength >= 0 && (stream.contentReceived > stream.contentLength || endStream)) {
      if (stream.contentReceived !== stream.contentLength) {
        this.target.giveBack(flowBytes);
        return this.target.streamError(streamId, ErrorCode.protocolError);
      }
    }
    if (!this.target.isServer && !stream.headDone) {
      this.target.giveBack(flowBytes);
      return this.target.streamError(streamId, ErrorCode.protocolError);
    }
    if (endStream) stream.remoteClosed = true;
    if (this.receiver.hold(stream, flowBytes)) this.target.wantControlOutput();
    // Padding is nobody's to drain.
    if (flowBytes > content) this.target.creditStream(stream, flowBytes - content);
    if (content > 0 || endStream) stream.handler?.onData(buf, start, end, endStream);
    if (stream.isClosed) this.target.endStream(stream);
  }

  onHeaders(flags: number, streamId: number, buf: Buffer, start: number, end: number): void {
    if (streamId === 0) return this.target.fail(ErrorCode.protocolError, 'HEADERS on stream 0');
    let from = start;
    let to = end;
    if ((flags & Flag.padded) !== 0) {
      to -= from < to ? buf[from]! : 0;
      from++;
    }
    let dependsOn = 0;
    if ((flags & Flag.priority) !== 0) {
      if (from + 5 <= to) dependsOn = buf.readUInt32BE(from) & 0x7fffffff;
      from += 5;
    }
    if (from > to) return this.target.fail(ErrorCode.protocolError, 'padding longer than the frame');
    const endStream = (flags & Flag.endStream) !== 0;
    this.dependsOnItself = dependsOn === streamId;
    if ((flags & Flag.endHeaders) !== 0) return this.onHeaderBlock(streamId, endStream, buf, from, to);
    if (!this.headerBlock.begin(streamId, endStream, buf, from, to)) this.target.exceed(Limit.headerBlock);
  }

  onContinuation(flags: number, streamId: number, buf: Buffer, start: number, end: number): void {
    const block = this.headerBlock;
    if (streamId === 0 || block.streamId !== streamId) {
      return this.target.fail(ErrorCode.protocolError, 'CONTINUATION without HEADERS');
    }
    if (!block.addContinuation(buf, start, end)) return this.target.exceed(Limit.headerBlock);
    if ((flags & Flag.endHeaders) === 0) return;
    const whole = block.finish();
    this.onHeaderBlock(streamId, block.endStream, whole, 0, block.length);
  }

  private onHeaderBlock(streamId: number, endStream: boolean, buf: Buffer, start: number, end: number): void {
    // Decoded whatever becomes of it: the table is shared by all streams (RFC 7541 §2.2).
    const list = this.decoder.decode(buf, start, end);
    if (list === null) {
      if (this.decoder.isFarTooLarge) return this.target.exceed(Limit.headerListFar);
      return this.target.fail(ErrorCode.compressionError, this.decoder.error);
    }
    if (list.tooLarge) this.target.events.onLimit(Limit.headerList);
    const stream = this.table.byId.get(streamId);
    if (stream !== undefined) {
      if (stream.remoteClosed) return this.target.streamError(streamId, ErrorCode.streamClosed);
      if (this.dependsOnItself) return this.target.streamError(streamId, ErrorCode.protocolError);
      if (this.target.isServer || stream.headDone) return this.onTrailers(stream, list, endStream);
      return this.onResponse(stream, list, endStream);
    }
    if (!this.target.isServer || !this.table.isIdle(streamId)) {
      // The peer's right while our reset is on its way, and odd after that.
      if (this.table.wasReset(streamId)) return this.target.glitch();
      if (this.table.isIdle(streamId)) return this.target.fail(ErrorCode.protocolError, 'HEADERS on an idle stream');
      return this.target.fail(ErrorCode.streamClosed, 'HEADERS on a closed stream');
    }
    if ((streamId & 1) === 0) return this.target.fail(ErrorCode.protocolError, 'even stream id from a client');
    this.table.lastPeerId = streamId;
    this.target.guard.onStream();
    // After our last GOAWAY a stream is one that the peer will send elsewhere: it crossed with it (RFC 9113 §6.8).
    if (this.target.drainSteps.isFinal) return this.target.writeReset(streamId, ErrorCode.refusedStream);
    if (this.table.byId.size >= this.limits.concurrentStreamsMax) return this.refuse(streamId, Limit.concurrentStreams);
    if (this.target.output.bytes > this.limits.outputBytesMax) return this.refuse(streamId, Limit.outputBytes);
    if (this.dependsOnItself) return this.onMalformed(streamId);
    if (list.requestError !== 0 && !list.tooLarge) return this.onMalformed(streamId);
    if (endStream && list.contentLength > 0) return this.onMalformed(streamId);
    const created = this.target.createStream(streamId);
    created.headDone = true;
    created.remoteClosed = endStream;
    created.contentLength = list.contentLength;
    this.target.events.onRequest(created, list, endStream);
    if (created.isClosed) this.target.endStream(created);
  }

  private refuse(streamId: number, limit: number): void {
    this.target.events.onLimit(limit);
    this.target.writeReset(streamId, ErrorCode.refusedStream);
  }

  private onMalformed(streamId: number): void {
    this.target.writeReset(streamId, ErrorCode.protocolError);
    if (!this.target.guard.onMalformedRequest()) return this.target.exceed(Limit.resets);
    this.target.glitch();
  }

  private onResponse(stream: Http2Stream, list: HeaderList, endStream: boolean): void {
    const isInformational = list.status >= 100 && list.status < 200;
    if (list.responseError !== 0 || list.tooLarge || (isInformational && endStream)) {
      return this.target.streamError(stream.id, ErrorCode.protocolError);
    }
    if (isInformational && ++stream.informationalHeads > this.limits.informationalHeadsMax) {
      this.target.events.onLimit(Limit.informationalHeads);
      return this.target.streamError(stream.id, ErrorCode.enhanceYourCalm);
    }
    if (!isInformational) {
      stream.contentLength = stream.announcedContent(list);
      // Less content than announced is a truncated answer (RFC 9113 §8.1.1).
      if (endStream && stream.contentLength > 0) {
        return this.target.streamError(stream.id, ErrorCode.protocolError);
      }
      stream.headDone = true;
      stream.remoteClosed = endStream;
    }
    stream.handler?.onHeaders(list, endStream);
    if (stream.isClosed) this.target.endStream(stream);
  }

  private onTrailers(stream: Http2Stream, list: HeaderList, endStream: boolean): void {
    const isShort = stream.contentLength >= 0 && stream.contentReceived !== stream.contentLength;
    if (!endStream || list.trailersError !== 0 || list.tooLarge || isShort) {
      return this.target.streamError(stream.id, ErrorCode.protocolError);
    }
    stream.remoteClosed = true;
    stream.handler?.onTrailers(list);
    if (stream.isClosed) this.target.endStream(stream);
  }
}
