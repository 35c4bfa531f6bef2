/**
 * Accepts connections on one port for both protocols: the first bytes tell HTTP/2 with prior knowledge (RFC 9113 §3.3)
 * from HTTP/1.1. HTTP/2 sockets are then given the shared read buffer. Node offers that (`onread`) only for sockets that
 * it dials, so an accepted socket's handle is moved into a new net.Socket; this file is the only one that knows.
 */
import net from 'node:net';
import type { TLSSocket } from 'node:tls';
import { readSlab } from './read-slab.ts';
import { sniff } from './sniff.ts';
import { readIntoSlab } from './tls/tls-read-slab.ts';

export interface AcceptHandlers {
  /** `early` are the bytes read so far; then `onRead` gets the rest until the socket closes. */
  onHttp2(socket: net.Socket, early: Buffer): (count: number, buf: Buffer) => void;
  /** The socket as if nothing had been read from it. */
  onHttp1(socket: net.Socket): void;
}

/** Sniffs an accepted socket and hands it on; who shows no protocol in time is dropped (slow-loris). */
export function accept(socket: net.Socket, timeoutMs: number, handlers: AcceptHandlers): void {
  let seen: Buffer = Buffer.alloc(0);
  const giveUp = setTimeout(() => socket.destroy(), timeoutMs);
  const stop = (): void => {
    clearTimeout(giveUp);
    socket.off('data', onData);
    socket.off('error', onError);
    socket.off('close', stop);
  };
  const onError = (): void => {
    socket.destroy();
  };
  const onData = (chunk: Buffer): void => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const protocol = sniff(seen);
    if (protocol === 'http1') {
      stop();
      socket.pause();
      socket.unshift(seen);
      handlers.onHttp1(socket);
      // Whoever took it listens now, but node starts no flow again that was paused.
      socket.resume();
    } else if (protocol === 'http2') {
      stop();
      rewrap(socket, seen, handlers);
    } else if (protocol === 'neither') {
      stop();
      socket.destroy();
    }
  };
  socket.on('data', onData);
  socket.on('error', onError);
  socket.on('close', stop);
  // It is paused when someone read a PROXY header from it before.
  socket.resume();
}

/** HTTP/2 by ALPN: the same promises for a TLS socket. */
export function acceptSecureHttp2(socket: TLSSocket, handlers: AcceptHandlers): void {
  const onRead = handlers.onHttp2(socket, Buffer.alloc(0));
  if (!readIntoSlab(socket, onRead)) socket.on('data', (chunk: Buffer) => onRead(chunk.length, chunk));
}

interface StreamHandle {
  reading: boolean;
  readStop(): number;
}

function isStreamHandle(value: unknown): value is StreamHandle {
  return typeof value === 'object' && value !== null && 'readStop' in value && typeof value.readStop === 'function';
}

function rewrap(accepted: net.Socket, early: Buffer, handlers: AcceptHandlers): void {
  const handle: unknown = Reflect.get(accepted, '_handle');
  if (!isStreamHandle(handle)) {
    accepted.destroy();
    return;
  }
  handle.readStop();
  handle.reading = false;
  Reflect.set(accepted, '_handle', null);
  // Ends the old object without touching the connection, so that the server does not wait for it.
  accepted.destroy();
  let onRead: ((count: number, buf: Buffer) => void) | null = null;
  const options: net.SocketConstructorOpts & { handle: unknown; onread: net.OnReadOpts } = {
    handle,
    onread: {
      buffer: readSlab,
      callback: (count: number): boolean => {
        onRead?.(count, readSlab);
        return true;
      },
    },
  };
  const socket = new net.Socket(options);
  onRead = handlers.onHttp2(socket, early);
  onRead(early.length, early);
}
