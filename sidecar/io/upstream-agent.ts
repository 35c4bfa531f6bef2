/**
 * node's agent for HTTP/1.1 with our sockets: dialled as those of HTTP/2 are, in plain text or over TLS, and kept by the
 * upstream's address, which holds the service that was proved.
 */
import http from 'node:http';
import type net from 'node:net';
import type { UpstreamTls } from './tls/upstream-tls.ts';
import { connectSocket } from './upstream/connect-socket.ts';

/** Options of a request, with where it goes. */
export interface UpstreamRequestOptions {
  readonly upstream: string;
}

export class UpstreamAgent extends http.Agent {
  private readonly tls: () => UpstreamTls | null;

  constructor(options: http.AgentOptions, tls: () => UpstreamTls | null) {
    super(options);
    this.tls = tls;
  }

  override createConnection(options: object): net.Socket {
    return connectSocket(upstreamOf(options), { protocol: 'http/1.1', tls: this.tls() });
  }

  override getName(options: object): string {
    return upstreamOf(options);
  }
}

function upstreamOf(options: object): string {
  return 'upstream' in options && typeof options.upstream === 'string' ? options.upstream : '';
}
