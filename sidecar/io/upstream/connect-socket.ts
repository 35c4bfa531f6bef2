/**
 * Begins a connection to an upstream's address, in plain text or over TLS, as the address says. Connected means that
 * requests may go: over TLS, that the handshake is done and the other side is who it must be.
 */
import net from 'node:net';
import tls from 'node:tls';
import { assert } from '../../../proto/kernel/assert.ts';
import { parseUpstreamAddress } from '../../routing/address.ts';
import type { UpstreamTls } from '../tls/upstream-tls.ts';

/** A peer that vanished without a word is noticed by the kernel even while nothing is sent. */
const keepAliveIdleMs = 30_000;

export interface ConnectOptions {
  readonly protocol: 'h2' | 'http/1.1';
  /** Needed for addresses that ask for TLS. */
  readonly tls: UpstreamTls | null;
  readonly onread?: net.OnReadOpts;
}

/** `address` was validated where it came in (configuration, discovery). */
export function connectSocket(address: string, options: ConnectOptions): net.Socket {
  const parsed = parseUpstreamAddress(address);
  assert(parsed !== undefined, `not an address: ${address}`);
  const place = parsed.path === '' ? { host: parsed.host, port: parsed.port } : { path: parsed.path };
  const { protocol, onread } = options;
  const common = { noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveIdleMs };
  if (!parsed.isTls) return net.connect({ ...place, ...common, onread });
  const upstreamTls = options.tls;
  assert(upstreamTls !== null, `no TLS settings for ${address}`);
  const secure: tls.ConnectionOptions & { onread?: net.OnReadOpts | undefined } = {
    ...upstreamTls.optionsFor(address, parsed, protocol),
    ...place,
    onread,
  };
  const socket = tls.connect(secure);
  // tls.connect takes no such options.
  socket.once('connect', () => socket.setNoDelay(true).setKeepAlive(true, keepAliveIdleMs));
  upstreamTls.watch(socket, address, protocol);
  return socket;
}

/** Whether requests may go on a socket of `connectSocket`. */
export function isUsable(socket: net.Socket): boolean {
  return socket instanceof tls.TLSSocket ? socket.authorized : !socket.connecting;
}

export function whenUsable(socket: net.Socket, onUsable: () => void): void {
  if (isUsable(socket)) onUsable();
  else socket.once(socket instanceof tls.TLSSocket ? 'secureConnect' : 'connect', onUsable);
}
