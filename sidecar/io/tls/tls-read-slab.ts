/**
 * Lets a TLS socket that we accepted read into the one buffer of all sockets. node offers that (`onread`) only to those
 * who dial; this does to the socket what its constructor would have done. On a node that is built otherwise the answer
 * is false, and the socket brings its bytes in buffers of their own, for about a twentieth more CPU.
 */
import type { TLSSocket } from 'node:tls';
import { readSlab } from '../read-slab.ts';

export function readIntoSlab(socket: TLSSocket, onRead: (count: number, buf: Buffer) => void): boolean {
  const handle: unknown = Reflect.get(socket, '_handle');
  const symbols = Object.getOwnPropertySymbols(socket);
  const buffer = symbols.find(({ description }) => description === 'kBuffer');
  const callback = symbols.find(({ description }) => description === 'kBufferCb');
  if (!takesBuffer(handle) || buffer === undefined || callback === undefined) return false;
  // What came with the end of the handshake.
  for (let chunk: unknown = socket.read(); Buffer.isBuffer(chunk); chunk = socket.read()) onRead(chunk.length, chunk);
  Reflect.set(socket, buffer, readSlab);
  Reflect.set(socket, callback, (count: number): boolean => {
    onRead(count, readSlab);
    return true;
  });
  handle.useUserBuffer(readSlab);
  socket.resume();
  return true;
}

interface BufferedHandle {
  useUserBuffer(buffer: Buffer): void;
}

function takesBuffer(value: unknown): value is BufferedHandle {
  return (
    typeof value === 'object' && value !== null && 'useUserBuffer' in value && typeof value.useUserBuffer === 'function'
  );
}
