/**
 * A socket that has left HTTP/1.1 behind (an upgrade): bytes both ways, by credit in both directions, each direction
 * ending for itself. It is the same on either side of the proxy.
 */
import type net from 'node:net';
import { tick } from './clock.ts';
import { windowBytes } from './http1-limits.ts';
import type { Http1Sink } from './http1-outlet.ts';

/** The kernel asks a silent peer whether it is still there. */
const keepAliveIdleMs = 30_000;

export interface TunnelOwner {
  onBytes(bytes: Buffer): void;
  /** The peer sends no more. */
  onEnd(): void;
  /** The socket is gone, in order when both directions had ended. */
  onClosed(): void;
}

export class Http1Tunnel implements Http1Sink {
  readonly socket: net.Socket;
  private readonly owner: TunnelOwner;
  private outstanding = 0;

  constructor(socket: net.Socket, owner: TunnelOwner) {
    this.socket = socket;
    this.owner = owner;
    socket.allowHalfOpen = true;
    socket.setTimeout(0);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, keepAliveIdleMs);
    socket.on('error', () => {});
    socket.on('close', () => {
      tick();
      owner.onClosed();
    });
  }

  /** Begins to read; `head` came in one piece with the message before. */
  start(head: Buffer): void {
    const { socket } = this;
    if (head.length > 0) socket.unshift(head);
    socket.on('data', (bytes: Buffer) => {
      tick();
      this.outstanding += bytes.length;
      if (this.outstanding >= windowBytes) socket.pause();
      this.owner.onBytes(bytes);
    });
    socket.on('end', () => {
      tick();
      this.owner.onEnd();
    });
    socket.resume();
  }

  credit(bytes: number): void {
    this.outstanding -= bytes;
    if (this.outstanding < windowBytes && this.socket.isPaused()) this.socket.resume();
  }

  write(bytes: Buffer, onWritten: () => void): void {
    this.socket.write(bytes, onWritten);
  }

  end(): void {
    this.socket.end();
  }

  /** Breaks off so that the peer sees it: a reset, not an end. */
  destroy(): void {
    const { socket } = this;
    if ('encrypted' in socket) socket.destroy();
    else socket.resetAndDestroy();
  }
}
