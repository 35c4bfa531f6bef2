/**
 * One HTTP/2 connection of either role, without sockets, clocks or timers: bytes go in by `receive`, calls go out to
 * the handlers, frames collect in `output` until the shell takes them (RFC 9113). What the parts are for:
 *
 *   receive ─▶ FrameReader ─▶ FrameDispatch ─▶ StreamHandler (the exchange)
 *                                 │ Guard, Waits: what the peer may cost us, and owes us in time
 *                                 │ Receiver: credit we owe the peer · Holding: what we hold in memory
 *   output ◀─ FrameWriter ◀───────┤ Sender: credit the peer gave us, fair rounds, drain accounts
 *                                 └ Hpack decoder / encoder
 *
 * The connection never throws on what a peer sends: stream errors become RST_STREAM, connection errors GOAWAY.
 */

import type { ConnectionEvents } from './connection-events.ts';
import { defaultFrameBytesMax, ErrorCode } from './constants.ts';
import { ControlFrames, type ControlTarget } from './control-frames.ts';
import { Drain } from './drain.ts';
import { FlowBudget } from './flow-budget.ts';
import { FrameDispatch } from './frame-dispatch.ts';
import { FrameReader } from './frame-reader.ts';
import { writeGoaway, writePing, writeRstStream } from './frame-writer.ts';
import { PrefaceReader, writeGreeting } from './greeting.ts';
import { GlitchVerdict, Guard } from './guard.ts';
import { HeaderWriter } from './header-writer.ts';
import { Holding, type HoldingOwner } from './holding.ts';
import type { HeaderList } from './hpack/field.ts';
import { Limit, limitDetail, limitErrorCode } from './limit-codes.ts';
import { type ConnectionLimits, retireAtStreamId } from './limits.ts';
import { MessageFrames, type MessageTarget } from './message-frames.ts';
import { Output, type Written } from './output.ts';
import { Receiver } from './receiver.ts';
import { Sender } from './sender.ts';
import { initialPeerSettings, type PeerSettings } from './settings.ts';
import { type Http2Stream, openStream, ResetCause, type StreamHandler, type StreamOwner } from './stream.ts';
import { StreamTable } from './stream-table.ts';
import { Waits } from './waits.ts';

/** One read makes us send fewer control frames than this many times the bound for a busy socket. */
const controlFramesPerTurnFactor = 16;

export type { ConnectionEvents } from './connection-events.ts';

const pingContent = Buffer.from('weirping', 'latin1');

export class Http2Connection implements StreamOwner, HoldingOwner, ControlTarget, MessageTarget {
  readonly isServer: boolean;
  readonly output = new Output();
  readonly drainSteps = new Drain(this.output);
  readonly peer: PeerSettings = initialPeerSettings();
  readonly events: ConnectionEvents;
  readonly guard: Guard;
  readonly waits: Waits;
  /** The peer's address; for operators. */
  peerName = '';
  isReading = true;
  /** GOAWAY was sent (we drain) or received. */
  isGoingAway = false;
  isDead = false;
  peerSettingsSeen = false;

  private readonly limits: ConnectionLimits;
  private readonly reader: FrameReader;
  private readonly headerWriter: HeaderWriter;
  private readonly table: StreamTable;
  readonly sender: Sender;
  readonly receiver: Receiver;
  private readonly budget: FlowBudget;
  private readonly holding: Holding;
  private readonly messages: MessageFrames;
  private readonly control: ControlFrames;
  private readonly preface: PrefaceReader;
  private outputWanted = false;
  private controlFrameCount = 0;

  constructor(isServer: boolean, limits: ConnectionLimits, events: ConnectionEvents, budget = new FlowBudget()) {
    this.isServer = isServer;
    this.limits = limits;
    this.events = events;
    this.budget = budget;
    this.preface = new PrefaceReader(isServer);
    this.guard = new Guard(limits);
    this.waits = new Waits(limits);
    this.headerWriter = new HeaderWriter(this.output, limits.encoderTableBytesMax);
    this.sender = new Sender(
      this.output,
      budget,
      (stream) => this.writeTrailers(stream),
      (stream) => this.endLocal(stream),
    );
    this.receiver = new Receiver(this.output, limits, budget);
    this.table = new StreamTable(isServer);
    this.holding = new Holding(this, this.table, this.sender, this.receiver, budget);
    this.messages = new MessageFrames(this, limits, this.table, this.receiver);
    this.control = new ControlFrames(this, limits, this.table, this.sender, this.headerWriter.encoder);
    this.reader = new FrameReader(new FrameDispatch(this, this.messages, this.control));
    writeGreeting(this.output, isServer, limits, this.receiver.initialWindowBytes);
    this.waits.onSettingsSent();
    this.receiver.open();
  }

  // ── Inputs ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Bytes from the socket, buf[start, end); they are not kept. */
  receive(buf: Buffer, start: number, end: number, nowMs = this.guard.nowMs): void {
    this.guard.onReceive(nowMs);
    const from = this.preface.skip(buf, start, end);
    if (from < 0) return this.fail(ErrorCode.protocolError, 'no HTTP/2 preface');
    this.reader.push(buf, from, end);
    if (this.budget.isOver) this.budget.relieve();
  }

  /** Time passes: call it a few times a second. */
  onTick(nowMs: number): void {
    if (this.isDead) return;
    if (this.drainSteps.isOverdue(nowMs)) this.finishDrain();
    const limit = this.waits.overdue(nowMs, this.peerSettingsSeen, this.messages.unfinished || this.reader.unfinished);
    if (limit !== Limit.none) return this.exceed(limit);
    this.holding.onTick(nowMs);
    if (this.receiver.adapt(this.waits)) this.wantControlOutput();
  }

  /** The socket ended or broke: every stream ends with it. */
  close(): void {
    this.holding.close();
    if (this.isDead) return this.sender.abandon();
    this.isReading = false;
    this.isDead = true;
    this.isGoingAway = true;
    this.table.endAll(this.sender, ErrorCode.cancel);
    this.sender.abandon();
    this.output.clear();
  }

  /** Moves the output to the shell, which writes it and then calls `wrote`. Nothing to write: `into` stays empty. */
  take(into: Written[]): void {
    this.outputWanted = false;
    this.sender.pump();
    this.output.take(into);
    this.controlFrameCount = 0;
    if (into.length === 0) return;
    this.sender.beginWrite();
    this.holding.beginWrite(into);
  }

  /** The socket accepted all that was taken. */
  wrote(): void {
    this.holding.endWrite();
    this.sender.endWrite();
    // What was asked for during the write could not be taken then, so it is asked for again.
    if (!this.outputWanted && !this.sender.hasReady) return;
    this.outputWanted = true;
    this.events.onOutput();
  }

  // ── Commands ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Whether `request` may be called now. */
  get canOpenStream(): boolean {
    // How many streams the peer takes, and whether it speaks HTTP/2 at all, is known only from its SETTINGS.
    return this.peerSettingsSeen && !this.isGoingAway && this.table.byId.size < this.streamsMax;
  }

  /** Streams of ours at a time. */
  get streamsMax(): number {
    return Math.min(this.peer.concurrentStreamsMax, this.limits.upstreamStreamsMax);
  }

  /** Whether the peer takes extended CONNECT (RFC 8441). */
  get takesExtendedConnect(): boolean {
    return this.peer.connectProtocolEnabled;
  }

  /** Nothing is left to do, and nothing can come any more: the socket may close. */
  get isFinished(): boolean {
    return this.isGoingAway && this.table.byId.size === 0 && !this.drainSteps.isWaiting;
  }

  get streamCount(): number {
    return this.table.byId.size;
  }

  get receivedUndrainedBytes(): number {
    return this.receiver.held;
  }

  get outputQueuedBytes(): number {
    return this.sender.queuedBytes + this.output.bytes;
  }

  /** Opens a stream toward a server and sends the request's head. */
  request(list: HeaderList, endStream: boolean, handler: StreamHandler): Http2Stream {
    const stream = this.createStream(this.table.nextId);
    stream.method = list.method;
    this.guard.onStream();
    this.table.nextId += 2;
    if (this.table.nextId >= retireAtStreamId) this.isGoingAway = true;
    stream.handler = handler;
    this.sendHeaders(stream, list, endStream);
    return stream;
  }

  /** Announces the end: streams that crossed with the announcement still count, then no more come (see drain.ts). */
  drain(): void {
    if (this.isDead || !this.drainSteps.begin(this.isServer)) return;
    this.isGoingAway = true;
    if (this.drainSteps.isWaiting) this.ping();
    else this.wantOutput();
  }

  /** Asks the peer for a sign of life; `waits.pingAckedMs` says when it came. */
  ping(): void {
    if (this.isDead) return;
    writePing(this.output, false, pingContent, 0);
    this.waits.onPingSent();
    this.wantOutput();
  }

  private finishDrain(): void {
    this.drainSteps.finish(this.table.lastPeerId);
    this.wantOutput();
    // Whoever waits for the connection's end looks again.
    this.events.onCapacity();
  }

  sendHeaders(stream: Http2Stream, list: HeaderList, endStream: boolean): void {
    if (stream.isClosed || stream.localClosed) return;
    stream.isAnswered = true;
    this.headerWriter.write(stream.id, list, endStream, this.peer.frameBytesMax);
    this.wantOutput();
    if (endStream) this.endLocal(stream);
  }

  sendData(stream: Http2Stream, buf: Buffer, start: number, end: number, endStream: boolean): void {
    if (stream.isClosed || stream.localClosed || stream.endAfterQueue) return;
    this.sender.send(stream, buf, start, end, endStream);
    this.wantOutput();
  }

  sendTrailers(stream: Http2Stream, list: HeaderList): void {
    if (stream.isClosed || stream.localClosed) return;
    if (stream.queuedBytes > 0) stream.trailersAfterQueue = list;
    else this.sendHeaders(stream, list, true);
  }

  resetStream(stream: Http2Stream, code: number): void {
    if (stream.isClosed) return;
    this.writeReset(stream.id, code);
    this.endStream(stream);
  }

  creditStream(stream: Http2Stream, bytes: number): void {
    if (this.isDead) return;
    if (this.receiver.credit(stream, bytes)) this.wantControlOutput();
  }

  // ── What the frames ask for ─────────────────────────────────────────────────────────────────────────────

  onPingAck(): void {
    if (!this.waits.onPingAck(this.guard.nowMs)) this.glitch();
    else if (this.drainSteps.isWaiting) this.finishDrain();
  }

  onPeerSettings(): void {
    this.peerSettingsSeen = true;
    this.sender.frameBytesMax = Math.min(this.peer.frameBytesMax, defaultFrameBytesMax);
    this.events.onCapacity();
  }

  onPeerGoaway(lastStreamId: number, code: number, detail: string): void {
    this.isGoingAway = true;
    if (!this.isServer) {
      for (const stream of this.table.above(lastStreamId)) {
        this.endStream(stream);
        stream.handler?.onReset(ErrorCode.refusedStream, ResetCause.unprocessed);
      }
    }
    this.events.onGoaway(code, detail);
  }

  /** Asks the shell to take the output. */
  wantOutput(): void {
    if (this.outputWanted) return;
    this.outputWanted = true;
    this.events.onOutput();
  }

  /** The same after a control frame; they are counted, since a peer that does not read can make us queue them. */
  wantControlOutput(): void {
    // One read can make us say a lot before the turn's flush; only a busy socket shows that the peer does not read.
    const busyMax = this.limits.controlFramesMax;
    if (++this.controlFrameCount > (this.sender.isBlocked ? busyMax : busyMax * controlFramesPerTurnFactor)) {
      return this.exceed(Limit.controlFrames);
    }
    this.wantOutput();
  }

  /** The peer has passed this limit: its connection ends. */
  exceed(limit: number): void {
    if (!this.isReading) return;
    this.events.onLimit(limit);
    this.fail(limitErrorCode(limit), limitDetail(limit));
  }

  /** The peer did something odd that we put up with, up to a point. */
  glitch(): void {
    const verdict = this.guard.onGlitch();
    if (verdict === GlitchVerdict.fine) return;
    if (verdict === GlitchVerdict.over) return this.exceed(Limit.glitches);
    this.events.onLimit(Limit.glitchesWarning);
    this.drain();
  }

  /** A connection error (§5.4.1): GOAWAY, then nothing more in either direction. */
  fail(code: number, detail: string): void {
    if (!this.isReading) return;
    this.isReading = false;
    this.isDead = true;
    this.isGoingAway = true;
    this.table.endAll(this.sender, ErrorCode.internalError);
    writeGoaway(this.output, this.drainSteps.lastStreamId(this.table.lastPeerId), code, detail);
    this.wantOutput();
    this.events.onFatal(code, detail);
  }

  /** A stream error (§5.4.2): RST_STREAM, and the handler hears that the peer broke the protocol. */
  streamError(streamId: number, code: number): void {
    const stream = this.table.byId.get(streamId);
    // A stream that nobody has opened cannot be reset (§6.4).
    if (stream === undefined && this.table.isIdle(streamId)) return this.fail(code, 'error on an idle stream');
    this.writeReset(streamId, code);
    this.glitch();
    // Either may have been the last straw.
    if (stream === undefined || stream.isDead) return;
    this.endStream(stream, true);
    stream.handler?.onReset(code, ResetCause.protocol);
  }

  /** Takes the stream out of the connection and settles its credit; abrupt is what the peer is to blame for. */
  endStream(stream: Http2Stream, isAbrupt = false): void {
    if (!this.table.remove(stream)) return;
    const isReset = !(stream.localClosed && stream.remoteClosed);
    if (isReset) {
      stream.isDead = true;
      this.sender.drop(stream);
      if (stream.held > 0) this.creditStream(stream, stream.held);
    }
    this.receiver.forget(stream);
    this.events.onCapacity();
    // Servers may refuse as much as they like.
    if (this.isServer && !isAbrupt) this.guard.onGoodEnd();
    else if (this.isServer && !this.guard.onAbruptEnd(stream)) this.exceed(Limit.resets);
    stream.retire();
  }

  letStreamGo(stream: Http2Stream): void {
    if (!this.table.byId.has(stream.id)) return;
    this.writeReset(stream.id, ErrorCode.enhanceYourCalm);
    this.endStream(stream);
    stream.handler?.onReset(ErrorCode.enhanceYourCalm, ResetCause.flowControl);
  }

  letGo(): void {
    this.events.onFatal(ErrorCode.enhanceYourCalm, 'the peer takes nothing, and its memory is needed', true);
    this.close();
  }

  // ── Helpers ─────────────────────────────────────────────────────────────────────────────────────────────────────

  createStream(id: number): Http2Stream {
    if (this.receiver.adapt(this.waits)) this.wantControlOutput();
    const stream = openStream(id, this, this.peer.initialWindowBytes, this.receiver.effectiveWindowBytes);
    stream.openedMs = this.guard.nowMs | 0;
    stream.openedLateMs = this.guard.readGapMs;
    this.table.add(stream);
    return stream;
  }

  private writeTrailers(stream: Http2Stream): void {
    const list = stream.trailersAfterQueue;
    stream.trailersAfterQueue = null;
    if (list !== null) this.sendHeaders(stream, list, true);
  }

  private endLocal(stream: Http2Stream): void {
    stream.localClosed = true;
    if (stream.remoteClosed) this.endStream(stream);
    else if (stream.resetAfterEnd) this.resetStream(stream, ErrorCode.noError);
  }

  writeReset(streamId: number, code: number): void {
    if (this.isDead) return;
    this.table.rememberReset(streamId);
    writeRstStream(this.output, streamId, code);
    this.wantControlOutput();
  }

  giveBack(bytes: number): void {
    if (!this.isDead && this.receiver.giveBack(bytes)) this.wantControlOutput();
  }
}
