/**
 * Whether a target can be reached at all, for a breaker that is to close and where no request comes that could try it:
 * a connection, and nothing said over it.
 */
import { connect } from 'node:net';
import { parseAddress } from '../../routing/address.ts';

/** One that takes longer is down. */
const timeoutMs = 500;

/** Undefined: the address is none, which says nothing about the target. */
export function checkTarget(address: string, done: (reached: boolean | undefined) => void): void {
  const at = parseAddress(address);
  if (at === undefined) return done(undefined);
  const socket = connect(at.path === '' ? { host: at.host, port: at.port } : { path: at.path });
  socket.setTimeout(timeoutMs);
  const end = (reached: boolean): void => {
    socket.removeAllListeners();
    socket.on('error', () => {});
    socket.destroy();
    done(reached);
  };
  socket.once('connect', () => end(true));
  socket.once('timeout', () => end(false));
  socket.once('error', () => end(false));
}
