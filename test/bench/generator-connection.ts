/**
 * One connection of the frame generator. It keeps `streams` requests in flight, copying the next frames of its cycle
 * as responses come in; or, in an open loop, sends what it is told to, and counts the latency of a request that finds
 * no stream free from when it was due. It reads of the responses no more than it must.
 */
import { Socket } from 'node:net';
import type { Histogram } from '../../proto/kernel/histogram.ts';
import {
  beginsWithStatus200,
  clientPreface,
  FrameReader,
  frameFlag,
  frameHeaderBytes,
  frameType,
  pingAckFrame,
  settingId,
  settingIn,
  settingsAck,
  settingsFrame,
  windowUpdateFrame,
} from './frame-reader.ts';
import type { BlockCycle } from './header-blocks.ts';

const windowBytes = 2 ** 30 - 1;
const initialConnectionWindowBytes = 65_535;
/** Start times are kept by stream id modulo this, which is far more than can be in flight. */
const startSlots = 8192;
/** In an open loop, requests waiting for a stream; what would wait beyond has failed. */
const duesMax = 10_000;

/** What all connections of a run count together. */
export interface Tally {
  requests: number;
  failures: number;
  readonly latency: Histogram;
}

export class GeneratorConnection {
  private readonly socket = new Socket();
  private readonly reader: FrameReader;
  private readonly cycle: BlockCycle;
  private readonly tally: Tally;
  private readonly starts = new Float64Array(startSlots);
  private streams: number;
  private nextStreamId = 1;
  private nextFrame = 0;
  private inFlight = 0;
  private unacknowledgedBytes = 0;
  private nowMs = 0;
  private ready = false;
  private sending = true;
  private control: Buffer[] = [];
  /** When the requests that wait were due; null in a closed loop. */
  private readonly dues: number[] | null;
  private readonly onEnd: (error: Error | null) => void;

  constructor(options: {
    port: number;
    streams: number;
    openLoop: boolean;
    cycle: BlockCycle;
    tally: Tally;
    onEnd: (error: Error | null) => void;
  }) {
    this.streams = options.streams;
    this.cycle = options.cycle;
    this.tally = options.tally;
    this.dues = options.openLoop ? [] : null;
    this.onEnd = options.onEnd;
    this.reader = new FrameReader((type, flags, id, bytes, start, end) =>
      this.onFrame(type, flags, id, bytes, start, end),
    );
    this.connect(options.port);
  }

  /** One request of an open loop is due. */
  send(nowMs: number): void {
    if (this.dues === null) return;
    if (this.dues.length >= duesMax) {
      this.tally.failures++;
      return;
    }
    this.dues.push(nowMs);
    this.nowMs = nowMs;
    if (this.sending) this.fill();
  }

  /** Sends nothing more and closes; what is in flight counts neither as done nor as failed. */
  close(): void {
    this.sending = false;
    this.socket.destroy();
  }

  private connect(port: number): void {
    let failure: Error | null = null;
    const socket = this.socket;
    socket.setNoDelay(true);
    socket.once('error', (error) => {
      failure = error;
    });
    socket.once('close', () => {
      if (this.sending) this.tally.failures += this.inFlight;
      this.onEnd(this.sending ? (failure ?? new Error('the proxy closed a connection')) : null);
    });
    socket.on('data', (chunk: Buffer) => this.onData(chunk));
    socket.connect({ port, host: '127.0.0.1' }, () => {
      socket.write(
        Buffer.concat([
          clientPreface,
          settingsFrame([
            [settingId.enablePush, 0],
            [settingId.initialWindowBytes, windowBytes],
          ]),
          windowUpdateFrame(0, windowBytes - initialConnectionWindowBytes),
        ]),
      );
    });
  }

  private onData(chunk: Buffer): void {
    this.nowMs = performance.now();
    this.unacknowledgedBytes += chunk.length;
    this.reader.read(chunk);
    if (this.unacknowledgedBytes > windowBytes / 2) {
      this.control.push(windowUpdateFrame(0, this.unacknowledgedBytes));
      this.unacknowledgedBytes = 0;
    }
    if (this.sending) this.fill();
  }

  private onFrame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    switch (type) {
      case frameType.headers:
        // The origin always sends a body and never trailers: a response that ends with its headers is a refusal.
        if ((flags & frameFlag.endStream) !== 0) {
          this.tally.failures++;
          this.finish(streamId);
        } else if (!beginsWithStatus200(flags, bytes, start, end)) {
          this.tally.failures++;
        }
        break;
      case frameType.data:
        if ((flags & frameFlag.endStream) !== 0) this.finish(streamId);
        break;
      case frameType.resetStream:
        this.tally.failures++;
        this.inFlight--;
        break;
      case frameType.settings:
        if ((flags & frameFlag.ack) === 0) this.onSettings(bytes, start, end);
        break;
      case frameType.ping:
        if ((flags & frameFlag.ack) === 0) this.control.push(pingAckFrame(bytes, start));
        break;
      case frameType.goAway:
        this.socket.destroy(new Error('the proxy sent GOAWAY'));
        break;
    }
  }

  private onSettings(bytes: Buffer, start: number, end: number): void {
    const table = settingIn(bytes, start, end, settingId.headerTableSize);
    if (table !== null && table < 4096) {
      this.socket.destroy(new Error(`header blocks are made for a table of 4096 bytes, the proxy offers ${table}`));
      return;
    }
    const streamsMax = settingIn(bytes, start, end, settingId.concurrentStreamsMax);
    if (streamsMax !== null) this.streams = Math.min(this.streams, streamsMax);
    this.control.push(settingsAck);
    this.ready = true;
  }

  private finish(streamId: number): void {
    this.inFlight--;
    this.tally.requests++;
    this.tally.latency.record(this.nowMs - this.starts[(streamId >>> 1) % startSlots]!);
  }

  /** One write with the answers due and as many requests as there is room for. */
  private fill(): void {
    const room = this.ready ? Math.max(0, this.streams - this.inFlight) : 0;
    const count = this.dues === null ? room : Math.min(room, this.dues.length);
    if (count === 0 && this.control.length === 0) return;
    const parts = this.control;
    this.control = [];
    for (let left = count; left > 0; ) {
      const run = Math.min(left, this.cycle.offsets.length - 1 - this.nextFrame);
      parts.push(this.takeFrames(run));
      left -= run;
    }
    this.inFlight += count;
    this.socket.write(parts.length === 1 ? parts[0]! : Buffer.concat(parts));
  }

  private takeFrames(count: number): Buffer {
    const { frames, offsets } = this.cycle;
    const from = offsets[this.nextFrame]!;
    const bytes = Buffer.allocUnsafe(offsets[this.nextFrame + count]! - from);
    frames.copy(bytes, 0, from, from + bytes.length);
    for (let i = this.nextFrame; i < this.nextFrame + count; i++) {
      bytes.writeUInt32BE(this.nextStreamId, offsets[i]! - from + frameHeaderBytes - 4);
      this.starts[(this.nextStreamId >>> 1) % startSlots] = this.dues?.shift() ?? this.nowMs;
      this.nextStreamId += 2;
    }
    this.nextFrame = (this.nextFrame + count) % (offsets.length - 1);
    return bytes;
  }
}
