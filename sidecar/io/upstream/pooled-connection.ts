/**
 * One HTTP/2 connection of the pool, from the socket that was dialled to its close. It carries streams only once the
 * peer's SETTINGS came: they say how many, and they are the proof that the other end speaks HTTP/2 at all.
 *
 *   shaking hands ──SETTINGS──▶ open ──GOAWAY, idle, ids used up──▶ leaving ──last stream──▶ closed
 *         └── timeout, error ───────────────────▶ closed
 */
import type net from 'node:net';
import type { ConnectionLimits } from '../../http2/limits.ts';
import { Pulse, type PulseFacts, type PulseSettings } from '../../resilience/pulse.ts';
import type { Candidate } from '../../routing/connection-choice.ts';
import { clock } from '../clock.ts';
import { Http2Socket, type Http2SocketOwner } from '../http2-socket.ts';

export interface PooledConnectionOwner {
  /** It can carry streams from now on. */
  onOpen(pooled: PooledConnection): void;
  /** The first of its streams came to an end. */
  onProven(): void;
  /** A stream ended, or the peer allows more. */
  onCapacity(): void;
  /** It takes no new streams any more; `detail` says why when that is the peer's doing. */
  onLeaving(pooled: PooledConnection, detail: string): void;
  /** `detail` is '' when it ended in order. */
  onClosed(pooled: PooledConnection, detail: string): void;
}

export class PooledConnection implements Http2SocketOwner, Candidate, PulseFacts {
  readonly socket: Http2Socket;
  readonly peerAddress: string;
  isOpen = false;
  isLeaving = false;
  /** When a stream was opened on it last. */
  usedMs: number;
  /** Whether a stream on it came to an end in its time: it is good for something. */
  isProven = false;
  /** When its first stream was opened. */
  private firstUsedMs = Number.POSITIVE_INFINITY;
  private readonly owner: PooledConnectionOwner;
  private readonly handshakeTimer: NodeJS.Timeout;
  private readonly pulse: Pulse;
  private failure = '';

  constructor(
    socket: net.Socket,
    limits: ConnectionLimits,
    owner: PooledConnectionOwner,
    handshakeTimeoutMs: number,
    pulse: PulseSettings,
  ) {
    this.owner = owner;
    this.peerAddress = socket.remoteAddress ?? '';
    this.pulse = new Pulse(pulse);
    this.usedMs = clock.nowMs;
    this.handshakeTimer = setTimeout(() => this.onHandshakeTimeout(), handshakeTimeoutMs);
    this.socket = new Http2Socket(socket, false, limits, this);
  }

  get canOpenStream(): boolean {
    return this.socket.connection.canOpenStream;
  }

  get blockedSinceMs(): number {
    return this.socket.blockedSinceMs;
  }

  get isCreditExhausted(): boolean {
    return this.socket.connection.sender.window <= 0;
  }

  get streamCount(): number {
    return this.socket.connection.streamCount;
  }

  get streamsMax(): number {
    return this.socket.connection.streamsMax;
  }

  /** A stream is about to be opened on it. */
  use(nowMs: number): void {
    this.usedMs = nowMs;
    if (this.firstUsedMs === Number.POSITIVE_INFINITY) this.firstUsedMs = nowMs;
  }

  get readMs(): number {
    return this.socket.readMs;
  }

  get ackedMs(): number {
    return this.socket.connection.waits.pingAckedMs;
  }

  /** Neither used nor heard of since. */
  get quietSinceMs(): number {
    return Math.max(this.usedMs, this.readMs);
  }

  /** Looks for a sign of life, where one is due. */
  tick(nowMs: number): void {
    const answer = this.pulse.check(this, nowMs);
    if (answer === 'quiet') return;
    if (answer === 'ping') return this.socket.connection.ping();
    // After a pause of our own the answer may lie unread: whatever can be read comes before the check phase.
    setImmediate(() => {
      if (this.readMs >= nowMs) return;
      this.failure = 'the peer answers no PING';
      this.socket.destroy();
    });
  }

  /** No new streams; it closes with its last one. */
  leave(): void {
    this.markLeaving('');
    this.socket.drain();
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Servers open no streams toward us. */
  onRequest(): void {}

  onCapacity(): void {
    const { connection } = this.socket;
    if (!this.isOpen && connection.peerSettingsSeen && !connection.isGoingAway) {
      this.isOpen = true;
      clearTimeout(this.handshakeTimer);
      this.owner.onOpen(this);
    } else if (connection.isGoingAway) {
      // Before it is known to leave these are the streams that the peer did not take; onGoaway follows.
      if (this.isLeaving) this.socket.closeIfDone();
    } else {
      if (!this.isProven && this.isOpen) this.prove();
      this.owner.onCapacity();
    }
  }

  onGoaway(): void {
    this.markLeaving(this.socket.failure || 'the peer takes no streams');
    this.socket.closeIfDone();
  }

  onClosed(detail: string): void {
    clearTimeout(this.handshakeTimer);
    // Streams that never end in its time are answered all the same.
    if (this.readMs > this.firstUsedMs) this.isProven = true;
    this.owner.onClosed(this, this.failure || detail);
  }

  private prove(): void {
    this.isProven = true;
    this.owner.onProven();
  }

  private markLeaving(detail: string): void {
    if (this.isLeaving) return;
    this.isLeaving = true;
    clearTimeout(this.handshakeTimer);
    this.owner.onLeaving(this, detail);
  }

  private onHandshakeTimeout(): void {
    this.failure = 'no HTTP/2 SETTINGS in time';
    this.socket.destroy();
  }
}
