/**
 * A client that may break every rule of HTTP/2: raw bytes over a real socket, and a notebook of what came back. It
 * acknowledges SETTINGS unless told not to; everything else is for the attack to say.
 */
import net from 'node:net';
import { Flag, FrameType, prefaceBytes } from '../../../sidecar/http2/constants.ts';
import { FrameReader } from '../../../sidecar/http2/frame-reader.ts';
import { HpackDecoder } from '../../../sidecar/http2/hpack/decoder.ts';
import { until } from '../until.ts';
import { frame } from '../wire.ts';
import { ping, settings, windowUpdate } from './blocks.ts';

export interface AttackerOptions {
  /** What is sent first; by default the preface and empty SETTINGS. */
  readonly greeting?: Buffer;
  readonly acknowledges?: boolean;
  /** Begins at once, before the SETTINGS of both sides have been exchanged. */
  readonly isRude?: boolean;
  /** Answers every DATA frame with a PING and credit, as grpc-go does to measure the bandwidth. */
  readonly pingsOnData?: boolean;
}

export interface Goaway {
  readonly code: number;
  readonly lastStreamId: number;
  readonly detail: string;
}

export const greeting: Buffer = Buffer.concat([Buffer.from(prefaceBytes), settings()]);

export class Attacker {
  readonly goaways: Goaway[] = [];
  /** Error codes by stream. */
  readonly resets = new Map<number, number>();
  readonly statuses = new Map<number, number>();
  /** Content received by stream. */
  readonly content = new Map<number, number>();
  /** Credit received by stream, beside the initial windows; 0 is the connection. */
  readonly credit = new Map<number, number>();
  dataFrames = 0;
  pongs = 0;
  settingsAcks = 0;
  settingsSeen = false;
  /** Frames behind a GOAWAY with an error. */
  framesSinceGoaway = 0;
  isClosed = false;
  sentBytes = 0;
  private readonly socket: net.Socket;
  private readonly decoder = new HpackDecoder();
  private readonly acknowledges: boolean;

  private constructor(socket: net.Socket, options: AttackerOptions) {
    this.socket = socket;
    this.acknowledges = options.acknowledges ?? true;
    const reader = new FrameReader({
      isReading: true,
      onFrame: (type, flags, streamId, buf, start, end) => this.onFrame(type, flags, streamId, buf, start, end),
      onData: (streamId, _flags, _buf, start, end, _flowBytes, last) => {
        if (last) this.dataFrames++;
        const count = end - start;
        this.content.set(streamId, (this.content.get(streamId) ?? 0) + count);
        if (options.pingsOnData !== true || !last || count === 0) return;
        this.send(ping(), windowUpdate(0, count), windowUpdate(streamId, count));
      },
      onFrameError: () => socket.destroy(),
    });
    socket.on('data', (chunk: Buffer) => reader.push(chunk, 0, chunk.length));
    // A reset by the other side is one way of being thrown out.
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isClosed = true;
    });
    this.send(options.greeting ?? greeting);
  }

  static async connect(address: string, options: AttackerOptions = {}): Promise<Attacker> {
    const [host, port] = address.split(':');
    const socket = net.connect({ host: host ?? '', port: Number(port), noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    const attacker = new Attacker(socket, options);
    if (options.isRude !== true) {
      await until(() => attacker.settingsAcks > 0 && attacker.settingsSeen, { what: 'SETTINGS are exchanged' });
    }
    return attacker;
  }

  get goaway(): Goaway | undefined {
    return this.goaways.at(-1);
  }

  /** Thrown out, or told to leave. */
  get isOver(): boolean {
    return this.isClosed || this.goaways.some(({ code }) => code !== 0);
  }

  send(...frames: readonly Buffer[]): void {
    if (this.socket.destroyed) return;
    const bytes = Buffer.concat(frames);
    this.sentBytes += bytes.length;
    this.socket.write(bytes);
  }

  /** Sends frames made by number, some at a time as the socket takes them, until it is over; answers how many. */
  async flood(count: number, make: (index: number) => Buffer, batch = 100): Promise<number> {
    let sent = 0;
    while (sent < count && !this.isOver) {
      const some = Math.min(batch, count - sent);
      this.send(...Array.from({ length: some }, (_, index) => make(sent + index)));
      sent += some;
      await this.drained();
    }
    return sent;
  }

  /** Until the socket has taken what was sent, or will not any more; the event loop turns in between. */
  private drained(): Promise<void> {
    const { socket } = this;
    return new Promise((resolve) => {
      if (socket.destroyed || socket.writableLength === 0) return setImmediate(resolve);
      const done = (): void => {
        socket.off('drain', done);
        socket.off('close', done);
        resolve();
      };
      socket.once('close', done);
      if (socket.writableNeedDrain) socket.once('drain', done);
      else setImmediate(done);
    });
  }

  /** Takes no more from the kernel: its buffer fills, and the window of TCP closes. */
  stopReading(): void {
    this.socket.pause();
  }

  startReading(): void {
    this.socket.resume();
  }

  /** Until the other side has closed the connection. */
  async thrownOut(timeoutMs = 5000): Promise<void> {
    await until(() => this.isClosed, { what: 'the attacker is thrown out', timeoutMs });
  }

  close(): void {
    this.socket.destroy();
  }

  private onFrame(type: number, flags: number, streamId: number, buf: Buffer, start: number, end: number): void {
    if (this.goaways.some(({ code }) => code !== 0)) this.framesSinceGoaway++;
    switch (type) {
      case FrameType.settings:
        if ((flags & Flag.ack) !== 0) {
          this.settingsAcks++;
          return;
        }
        this.settingsSeen = true;
        if (this.acknowledges) this.send(frame(FrameType.settings, Flag.ack, 0));
        return;
      case FrameType.ping:
        this.pongs++;
        return;
      case FrameType.windowUpdate:
        this.credit.set(streamId, (this.credit.get(streamId) ?? 0) + buf.readUInt32BE(start));
        return;
      case FrameType.rstStream:
        this.resets.set(streamId, buf.readUInt32BE(start));
        return;
      case FrameType.goaway: {
        const lastStreamId = buf.readUInt32BE(start);
        this.goaways.push({
          code: buf.readUInt32BE(start + 4),
          lastStreamId,
          detail: buf.toString('latin1', start + 8, end),
        });
        return;
      }
      case FrameType.headers: {
        const list = this.decoder.decode(buf, start, end);
        if (list !== null && list.status > 0) this.statuses.set(streamId, list.status);
      }
    }
  }
}
