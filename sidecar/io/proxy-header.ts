/**
 * Waits for the PROXY header at the beginning of an accepted connection. Without one, or with a wrong one, the
 * connection closes: who expects the header behind a balancer must not be fooled by whoever gets past it.
 */
import type net from 'node:net';
import { parseProxyHeader } from './proxy-protocol.ts';
import { count, type TlsStats } from './tls/tls-stats.ts';

/** The balancer sends it with its first segment. */
export const proxyHeaderTimeoutMs = 5_000;

/** `address` is the client's; '' when the header names none. What follows the header is still to be read. */
export function awaitProxyHeader(
  socket: net.Socket,
  stats: TlsStats,
  onAddress: (address: string) => void,
  timeoutMs = proxyHeaderTimeoutMs,
): void {
  let seen: Buffer = Buffer.alloc(0);
  const stop = (): void => {
    clearTimeout(timer);
    socket.off('data', onData);
    socket.off('error', onError);
    socket.off('close', stop);
  };
  const timer = setTimeout(() => {
    count(stats.proxyHeaders, 'timeout');
    socket.destroy();
  }, timeoutMs);
  const onError = (): void => {
    socket.destroy();
  };
  const onData = (chunk: Buffer): void => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const header = parseProxyHeader(seen);
    if (header.state === 'incomplete') return;
    stop();
    if (header.state === 'malformed') {
      count(stats.proxyHeaders, 'malformed');
      socket.destroy();
      return;
    }
    count(stats.proxyHeaders, header.isLocal ? 'local' : 'proxied');
    socket.pause();
    if (seen.length > header.bytes) socket.unshift(seen.subarray(header.bytes));
    onAddress(header.address ?? socket.remoteAddress ?? '');
  };
  socket.on('data', onData);
  socket.on('error', onError);
  socket.on('close', stop);
}
