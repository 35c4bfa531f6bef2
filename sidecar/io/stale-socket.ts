/**
 * A process that is killed leaves the file of its Unix socket, and the next one could not listen there. A file that
 * nobody listens on is removed; one that somebody does is left for `listen` to refuse.
 */
import { unlink } from 'node:fs/promises';
import net from 'node:net';

export async function removeStaleSocket(path: string): Promise<void> {
  if (await isStale(path)) await unlink(path);
}

function isStale(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    // Only this says that it is a socket without a listener; a plain file or an absent one says something else.
    socket.once('error', (error) => resolve('code' in error && error.code === 'ECONNREFUSED'));
  });
}
