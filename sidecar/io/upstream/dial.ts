/**
 * Opens a socket to an endpoint, within a time, and hands it over ready to use: everything it reads arrives in the one
 * slab that all sockets share, so an idle connection holds no read buffer. Exactly one of the handlers is called, never
 * before `dial` has returned; after `abort` none is.
 */
import type net from 'node:net';
import { TLSSocket } from 'node:tls';
import { tick } from '../clock.ts';
import { readSlab } from '../read-slab.ts';
import type { UpstreamTls } from '../tls/upstream-tls.ts';
import { connectSocket, whenUsable } from './connect-socket.ts';

export interface DialOptions {
  /** For everything until the socket can be used: TCP, and TLS where there is any. */
  readonly timeoutMs: number;
  /** For addresses that ask for it. */
  readonly tls: UpstreamTls | null;
}

export interface SocketReader {
  /** The bytes are in buf[0, count) and gone when this returns. */
  onRead(count: number, buf: Buffer): void;
}

export interface DialHandlers {
  /** What the socket reads goes to the reader that is returned. */
  onConnected(socket: net.Socket): SocketReader;
  onFailed(detail: string): void;
}

export interface Dialling {
  abort(): void;
}

export function dial(address: string, options: DialOptions, handlers: DialHandlers): Dialling {
  const { timeoutMs } = options;
  let reader: SocketReader | null = null;
  const onread = {
    buffer: readSlab,
    callback: (count: number): boolean => {
      reader?.onRead(count, readSlab);
      return true;
    },
  };
  const socket = connectSocket(address, { protocol: 'h2', tls: options.tls, onread });
  let isOver = false;
  const giveUp = (): void => {
    isOver = true;
    clearTimeout(timer);
    socket.destroy();
  };
  const fail = (detail: string): void => {
    if (isOver) return;
    giveUp();
    tick();
    handlers.onFailed(detail);
  };
  const timer = setTimeout(() => {
    if (socket instanceof TLSSocket && !socket.connecting) options.tls?.countTimeout();
    fail(`no connection to ${address} in ${timeoutMs} ms`);
  }, timeoutMs);
  // Stays until the new owner listens: an error that nobody hears would end the process.
  const onError = (error: Error): void => fail(error.message);
  socket.on('error', onError);
  whenUsable(socket, () => {
    if (isOver) return;
    if (socket instanceof TLSSocket && socket.alpnProtocol !== 'h2')
      return fail(`${address} does not speak h2 over TLS`);
    isOver = true;
    clearTimeout(timer);
    tick();
    reader = handlers.onConnected(socket);
    socket.off('error', onError);
  });
  return { abort: giveUp };
}
