/**
 * Carries the bytes of one HTTP/2 connection between its engine and a socket. Writing: at most one write is under way;
 * what comes meanwhile collects in the engine. Most writes complete at once, which is seen without waiting for the
 * callback, so a busy connection flushes again in the same turn.
 */
import type net from 'node:net';
import { TLSSocket } from 'node:tls';
import { Http2Connection } from '../http2/connection.ts';
import type { ConnectionEvents } from '../http2/connection-events.ts';
import type { HeaderList } from '../http2/hpack/field.ts';
import type { ConnectionLimits } from '../http2/limits.ts';
import { releaseChunk, type Written } from '../http2/output.ts';
import type { Http2Stream } from '../http2/stream.ts';
import { clock, tick } from './clock.ts';
import { flowBudget } from './flow-budget.ts';
import { type Flushable, flushThisTurn } from './flush-scheduler.ts';
import { limitTrips } from './limit-trips.ts';
import { type Ticking, ticker } from './ticker.ts';

/** Output beyond this is written at once instead of at the end of the turn. */
const flushAtOnceBytes = 65_536;
/** A connection that failed keeps its socket this long for the GOAWAY to arrive. */
const lingerMs = 1000;

export interface Http2SocketOwner {
  /** Whom to name in logs. */
  readonly peerAddress: string;
  onRequest(stream: Http2Stream, list: HeaderList, endStream: boolean): void;
  onCapacity(): void;
  onGoaway(): void;
  /** The connection is over; `detail` says why when it was an error of the peer. */
  onClosed(detail: string): void;
  /** A few times a second. */
  onTick?(nowMs: number): void;
}

export class Http2Socket implements ConnectionEvents, Flushable, Ticking {
  readonly connection: Http2Connection;
  private readonly socket: net.Socket;
  private readonly owner: Http2SocketOwner;
  private readonly writing: Written[] = [];
  private isWriting = false;
  /**
   * TLS takes one chunk at a time: several at once it would copy into a new buffer of their size first, and hold all of
   * it encrypted while the peer does not read.
   */
  private readonly isSecure: boolean;
  private writesIssued = 0;
  private writesCalledBack = 0;
  private isClosed = false;
  private writeStartedMs = 0;
  /** Why it ended, when that was an error. */
  failure = '';
  /** When something was read last. */
  readMs = clock.nowMs;

  constructor(socket: net.Socket, isServer: boolean, limits: ConnectionLimits, owner: Http2SocketOwner) {
    this.socket = socket;
    this.isSecure = socket instanceof TLSSocket;
    this.owner = owner;
    this.connection = new Http2Connection(isServer, limits, this, flowBudget);
    this.connection.peerName = `${socket.remoteAddress ?? ''}:${socket.remotePort ?? ''}`;
    socket.on('error', (error) => {
      this.failure ||= error.message;
    });
    socket.on('close', () => this.onSocketClosed());
    // A half-closed peer can send nothing more, and HTTP/2 has no use for that.
    socket.on('end', () => socket.destroy());
    // The engine wrote its preface before it could call onOutput on us.
    flushThisTurn(this);
    ticker.add(this);
  }

  onTick(nowMs: number): void {
    this.connection.onTick(nowMs);
    this.owner.onTick?.(nowMs);
  }

  /** Since when the socket has not taken what was written; Infinity while it has. */
  get blockedSinceMs(): number {
    return this.isWriting ? this.writeStartedMs : Number.POSITIVE_INFINITY;
  }

  /** From the socket's onread: the bytes are in buf[0, count). */
  onRead(count: number, buf: Buffer): void {
    this.readMs = tick();
    this.connection.receive(buf, 0, count, this.readMs);
    if (this.connection.output.bytes >= flushAtOnceBytes) this.flush();
  }

  onRequest(stream: Http2Stream, list: HeaderList, endStream: boolean): void {
    this.owner.onRequest(stream, list, endStream);
  }

  onOutput(): void {
    flushThisTurn(this);
  }

  onCapacity(): void {
    this.owner?.onCapacity();
  }

  onGoaway(_code: number, _detail: string): void {
    this.owner.onGoaway();
  }

  onLimit(limit: number): void {
    limitTrips.record(limit, this.owner.peerAddress);
  }

  onFatal(_code: number, detail: string, isAtOnce = false): void {
    this.failure ||= detail;
    if (isAtOnce) this.socket.destroy();
    // Whether or not the peer reads our GOAWAY.
    else setTimeout(() => this.socket.destroy(), lingerMs).unref();
    this.owner.onGoaway();
  }

  /** GOAWAY, and the socket closes when the last stream is done. */
  drain(): void {
    this.connection.drain();
    this.closeIfDone();
  }

  destroy(): void {
    this.socket.destroy();
  }

  closeIfDone(): void {
    if (!this.connection.isFinished || this.isClosed || this.isWriting) return;
    if (this.connection.output.bytes > 0) return flushThisTurn(this);
    this.socket.end(() => this.socket.destroy());
  }

  flush(): void {
    if (this.isWriting || this.isClosed) return;
    const parts = this.writing;
    this.connection.take(parts);
    if (parts.length === 0) return;
    const { socket } = this;
    this.isWriting = true;
    this.writeStartedMs = clock.nowMs;
    if (parts.length === 1 || this.isSecure) this.writeFirst();
    else {
      this.writesIssued++;
      socket.cork();
      const last = parts.length - 1;
      for (let i = 0; i < last; i++) socket.write(parts[i]!.chunk.subarray(0, parts[i]!.length));
      socket.write(parts[last]!.chunk.subarray(0, parts[last]!.length), this.onWritten);
      socket.uncork();
    }
    // The kernel took everything: no need to wait for the callback to say so.
    if (!this.isSecure && socket.writableLength === 0) this.finishWrite();
  }

  private writeFirst(): void {
    const { chunk, length } = this.writing[0]!;
    this.writesIssued++;
    this.socket.write(chunk.subarray(0, length), this.onWritten);
  }

  private readonly onWritten = (): void => {
    this.writesCalledBack++;
    if (!this.isWriting || this.writesCalledBack !== this.writesIssued) return;
    tick();
    if (this.isSecure && this.writing.length > 1) {
      releaseChunk(this.writing.shift()!.chunk);
      this.writeFirst();
    } else this.finishWrite();
  };

  private finishWrite(): void {
    this.isWriting = false;
    for (const { chunk } of this.writing) releaseChunk(chunk);
    this.writing.length = 0;
    this.connection.wrote();
    // A failure during the write left its GOAWAY in the output: that goes first.
    if (this.connection.isDead && this.connection.output.bytes === 0) this.linger();
    else if (this.connection.isGoingAway) this.closeIfDone();
  }

  /**
   * The last bytes are out: give them time to arrive. What still comes in is read and dropped until the peer ends too;
   * closing at once with input unread would make the kernel reset the connection, and the GOAWAY would be lost.
   */
  private linger(): void {
    this.socket.end();
  }

  private onSocketClosed(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    ticker.delete(this);
    tick();
    // A write that never finished: its buffers may still be with the kernel's request, so they are not reused.
    this.writing.length = 0;
    this.connection.close();
    this.owner.onClosed(this.failure);
  }
}
