/**
 * The frames that carry no content (RFC 9113 §6.4–6.9): RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE. Each is
 * checked here and then either settled here or asked of the connection.
 */
import { ErrorCode, Flag } from './constants.ts';
import { overflows } from './flow.ts';
import { writePing, writeSettingsAck } from './frame-writer.ts';
import type { HpackEncoder } from './hpack/encoder.ts';
import type { Output } from './output.ts';
import type { Sender } from './sender.ts';
import { applySetting, type PeerSettings, settingsEntriesMax } from './settings.ts';
import { type Http2Stream, ResetCause } from './stream.ts';
import type { StreamTable } from './stream-table.ts';

/** What the control frames need of their connection. */
export interface ControlTarget {
  readonly output: Output;
  readonly peer: PeerSettings;
  fail(code: number, detail: string): void;
  streamError(streamId: number, code: number): void;
  endStream(stream: Http2Stream): void;
  wantOutput(): void;
  wantControlOutput(): void;
  onPeerSettings(): void;
  onPeerGoaway(lastStreamId: number, code: number, detail: string): void;
}

export class ControlFrames {
  private readonly target: ControlTarget;
  private readonly table: StreamTable;
  private readonly sender: Sender;
  private readonly encoder: HpackEncoder;

  constructor(target: ControlTarget, table: StreamTable, sender: Sender, encoder: HpackEncoder) {
    this.target = target;
    this.table = table;
    this.sender = sender;
    this.encoder = encoder;
  }

  onWindowUpdate(streamId: number, buf: Buffer, start: number, end: number): void {
    const target = this.target;
    if (end - start !== 4) return target.fail(ErrorCode.frameSizeError, 'WINDOW_UPDATE of a wrong size');
    const increment = buf.readUInt32BE(start) & 0x7fffffff;
    const sender = this.sender;
    if (streamId === 0) {
      if (increment === 0) return target.fail(ErrorCode.protocolError, 'WINDOW_UPDATE of 0');
      if (overflows(sender.window, increment)) {
        return target.fail(ErrorCode.flowControlError, 'connection window above 2^31-1');
      }
      sender.window += increment;
      if (sender.hasReady) target.wantOutput();
      return;
    }
    const stream = this.table.byId.get(streamId);
    if (stream === undefined) {
      if (this.table.isIdle(streamId)) target.fail(ErrorCode.protocolError, 'WINDOW_UPDATE on an idle stream');
      return;
    }
    if (increment === 0) return target.streamError(streamId, ErrorCode.protocolError);
    if (overflows(stream.sendWindow, increment)) return target.streamError(streamId, ErrorCode.flowControlError);
    stream.sendWindow += increment;
    sender.schedule(stream);
    if (stream.isScheduled) target.wantOutput();
  }

  onRstStream(streamId: number, buf: Buffer, start: number, end: number): void {
    const target = this.target;
    if (end - start !== 4) return target.fail(ErrorCode.frameSizeError, 'RST_STREAM of a wrong size');
    if (streamId === 0 || this.table.isIdle(streamId)) {
      return target.fail(ErrorCode.protocolError, 'RST_STREAM on an idle stream');
    }
    const stream = this.table.byId.get(streamId);
    if (stream === undefined) return;
    target.endStream(stream);
    stream.handler?.onReset(buf.readUInt32BE(start), ResetCause.peer);
  }

  onSettings(flags: number, streamId: number, buf: Buffer, start: number, end: number): void {
    const target = this.target;
    if (streamId !== 0) return target.fail(ErrorCode.protocolError, 'SETTINGS on a stream');
    const length = end - start;
    if ((flags & Flag.ack) !== 0) {
      if (length !== 0) target.fail(ErrorCode.frameSizeError, 'SETTINGS ack with content');
      return;
    }
    if (length % 6 !== 0) return target.fail(ErrorCode.frameSizeError, 'SETTINGS of a wrong size');
    if (length / 6 > settingsEntriesMax) return target.fail(ErrorCode.enhanceYourCalm, 'too many settings');
    const windowBefore = target.peer.initialWindowBytes;
    for (let at = start; at < end; at += 6) {
      const code = applySetting(target.peer, buf.readUInt16BE(at), buf.readUInt32BE(at + 2));
      if (code !== 0) return target.fail(code, 'invalid setting');
    }
    this.encoder.setPeerTableBytes(target.peer.headerTableBytes);
    if (!this.shiftWindows(target.peer.initialWindowBytes - windowBefore)) {
      return target.fail(ErrorCode.flowControlError, 'stream window above 2^31-1');
    }
    writeSettingsAck(target.output);
    target.wantControlOutput();
    target.onPeerSettings();
  }

  /** Priorities are deprecated (§5.3.2): checked and ignored. */
  onPriority(streamId: number, buf: Buffer, start: number, end: number): void {
    const target = this.target;
    if (streamId === 0) return target.fail(ErrorCode.protocolError, 'PRIORITY on stream 0');
    if (end - start !== 5) return target.streamError(streamId, ErrorCode.frameSizeError);
    // RFC 7540 §5.3.1: a stream cannot depend on itself.
    if ((buf.readUInt32BE(start) & 0x7fffffff) === streamId) target.streamError(streamId, ErrorCode.protocolError);
  }

  onPing(flags: number, streamId: number, buf: Buffer, start: number, end: number): void {
    const target = this.target;
    if (streamId !== 0) return target.fail(ErrorCode.protocolError, 'PING on a stream');
    if (end - start !== 8) return target.fail(ErrorCode.frameSizeError, 'PING of a wrong size');
    if ((flags & Flag.ack) !== 0) return;
    writePing(target.output, true, buf, start);
    target.wantControlOutput();
  }

  onGoaway(streamId: number, buf: Buffer, start: number, end: number): void {
    const target = this.target;
    if (streamId !== 0) return target.fail(ErrorCode.protocolError, 'GOAWAY on a stream');
    if (end - start < 8) return target.fail(ErrorCode.frameSizeError, 'GOAWAY of a wrong size');
    const lastStreamId = buf.readUInt32BE(start) & 0x7fffffff;
    const detail = buf.toString('latin1', start + 8, Math.min(end, start + 8 + 128));
    target.onPeerGoaway(lastStreamId, buf.readUInt32BE(start + 4), detail);
  }

  /** §6.9.2: a changed initial window moves every stream's window, which may become negative. False on overflow. */
  private shiftWindows(delta: number): boolean {
    if (delta === 0) return true;
    for (const stream of this.table.byId.values()) {
      if (overflows(stream.sendWindow, delta)) return false;
      stream.sendWindow += delta;
      this.sender.schedule(stream);
    }
    if (this.sender.hasReady) this.target.wantOutput();
    return true;
  }
}
