/**
 * Gives a request up whose socket does not connect in time. A kept socket is connected; then there is nothing to wait
 * for, and no timer.
 */
import type { ClientRequest } from 'node:http';
import type { Socket } from 'node:net';
import { isUsable, whenUsable } from './upstream/connect-socket.ts';

export function whenConnected(request: ClientRequest, timeoutMs: number, onConnected: () => void): void {
  request.once('socket', (socket: Socket) => {
    if (isUsable(socket)) return onConnected();
    const timer = setTimeout(() => request.destroy(new Error(`no connection in ${timeoutMs} ms`)), timeoutMs);
    whenUsable(socket, () => {
      clearTimeout(timer);
      onConnected();
    });
    socket.once('close', () => clearTimeout(timer));
  });
}
