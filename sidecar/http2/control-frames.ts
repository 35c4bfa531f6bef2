/**
 * The frames that carry no content (RFC 9113 §6.4–6.9): RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE. Each is
 * checked here and then either settled here or asked of the connection.
 */
import { ErrorCode, Flag } from './constants.ts';
import { overflows } from './flow.ts';
import { writePing, writeSettingsAck } from './frame-writer.ts';
import type { Guard } from './guard.ts';
import type { HpackEncoder } from './hpack/encoder.ts';
import { Limit } from './limit-codes.ts';
import type { ConnectionLimits } from './limits.ts';
import type { Output } from './output.ts';
import type { Receiver } from './receiver.ts';
import type { Sender } from './sender.ts';
import { applySetting, type PeerSettings } from './settings.ts';
import { type Http2Stream, ResetCause } from './stream.ts';
import type { StreamTable } from './stream-table.ts';
import type { Waits } from './waits.ts';

/** RFC 9218 §7.1: browsers send it, and we may ignore it. */
const priorityUpdateType = 0x10;

/** What the control frames need of their connection. */
export interface ControlTarget {
  readonly output: Output;
  readonly peer: PeerSettings;
  readonly receiver: Receiver;
  readonly guard: Guard;
  readonly waits: Waits;
  /** The peer has passed this limit: its connection ends. */
  exceed(limit: number): void;
  /** The peer did something odd that we put up with, up to a point. */
  glitch(): void;
  fail(code: number, detail: string): void;
  streamError(streamId: number, code: number): void;
  endStream(stream: Http2Stream, isAbrupt?: boolean): void;
  wantOutput(): void;
  wantControlOutput(): void;
  onPeerSettings(): void;
  onPingAck(): void;
  onPeerGoaway(lastStreamId: number, code: number, detail: string): void;
}

export class ControlFrames {
  private readonly target: ControlTarget;
  private readonly settingsEntriesMax: number;
  private readonly table: StreamTable;
  private readonly sender: Sender;
  private readonly encoder: HpackEncoder;

  constructor(
    target: ControlTarget,
    limits: ConnectionLimits,
    table: StreamTable,
    sender: Sender,
    encoder: HpackEncoder,
  ) {
    this.target = target;
    this.settingsEntriesMax = limits.settingsEntriesMax;
    this.table = table;
    this.sender = sender;
    this.encoder = encoder;
  }

  onWindowUpdate(streamId: number, buf: Buffer, start: number, end: number): void {
    const target = this.target;
    if (end - start !== 4) return target.fail(ErrorCode.frameSizeError, 'WINDOW_UPDATE of a wrong size');
    const increment = buf.readUInt32BE(start) & 0x7fffffff;
    const sender = this.sender;
    if (!target.guard.onWindowUpdate(sender.framesSent)) return target.exceed(Limit.windowUpdates);
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
    if (!target.guard.onReset()) target.glitch();
    const stream = this.table.byId.get(streamId);
    if (stream === undefined) return;
    target.endStream(stream, true);
    stream.handler?.onReset(buf.readUInt32BE(start), ResetCause.peer);
  }

  onSettings(flags: number, streamId: number, buf: Buffer, start: number, end: number): void {
    const target = this.target;
    if (streamId !== 0) return target.fail(ErrorCode.protocolError, 'SETTINGS on a stream');
    const length = end - start;
    if ((flags & Flag.ack) !== 0) {
      if (length !== 0) target.fail(ErrorCode.frameSizeError, 'SETTINGS ack with content');
      else if (!target.waits.onSettingsAck()) target.glitch();
      else target.receiver.onSettingsAck(this.table.byId.values());
      return;
    }
    if (length % 6 !== 0) return target.fail(ErrorCode.frameSizeError, 'SETTINGS of a wrong size');
    if (length / 6 > this.settingsEntriesMax) return target.exceed(Limit.settingsEntries);
    if (!target.guard.onSettings()) return target.exceed(Limit.settingsRate);
    const windowBefore = target.peer.initialWindowBytes;
    for (let at = start; at < end; at += 6) {
      const code = applySetting(target.peer, buf.readUInt16BE(at), buf.readUInt32BE(at + 2));
      if (code !== 0) return target.fail(code, 'invalid setting');
      // Entry by entry: a table that shrinks and grows in one frame has lost its entries (RFC 7541 §4.2).
      this.encoder.setPeerTableBytes(target.peer.headerTableBytes);
    }
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
    if ((buf.readUInt32BE(start) & 0x7fffffff) === streamId) {
      return target.streamError(streamId, ErrorCode.protocolError);
    }
    if (!target.guard.onPriority()) target.exceed(Limit.priorities);
  }

  onPing(flags: number, streamId: number, buf: Buffer, start: number, end: number): void {
    const target = this.target;
    if (streamId !== 0) return target.fail(ErrorCode.protocolError, 'PING on a stream');
    if (end - start !== 8) return target.fail(ErrorCode.frameSizeError, 'PING of a wrong size');
    if ((flags & Flag.ack) !== 0) return target.onPingAck();
    if (!target.guard.onPing(this.sender.framesSent)) return target.exceed(Limit.pingRate);
    writePing(target.output, true, buf, start);
    target.wantControlOutput();
  }

  /** Unknown types are ignored (§5.5). */
  onUnknown(type: number): void {
    const target = this.target;
    if (type !== priorityUpdateType) return target.glitch();
    if (!target.guard.onPriority()) target.exceed(Limit.priorities);
  }

  onGoaway(streamId: number, buf: Buffer, start: number, end: number): void {
    const target = this.target;
    if (streamId !== 0) return target.fail(ErrorCode.protocolError, 'GOAWAY on a stream');
    if (end - start < 8) return target.fail(ErrorCode.frameSizeError, 'GOAWAY of a wrong size');
    const lastStreamId = buf.readUInt32BE(start) & 0x7fffffff;
    const detail = buf.toString('latin1', start + 8, Math.min(end, start + 8 + 128));
    target.onPeerGoaway(lastStreamId, buf.readUInt32BE(start + 4), detail);
    // One or two are a farewell, more are odd.
    target.glitch();
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
