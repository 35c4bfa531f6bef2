/**
 * What a request to an HTTP/1.1 endpoint is given: where to go, and a place among those that may go there at a time.
 */
import type http from 'node:http';
import type { ConnectionLimits } from '../http2/limits.ts';
import type { Http1Agent } from './http1-agent.ts';
import type { UpstreamRequestOptions } from './upstream-agent.ts';

export interface Http1Sockets {
  readonly address: string;
  /** Sockets that are kept. */
  readonly agent: Http1Agent;
  /** Sockets for one request. */
  readonly fresh: http.Agent;
  readonly limits: ConnectionLimits;
}

export interface Http1Place {
  readonly sockets: Http1Sockets;
  readonly connectTimeoutMs: number;
  /** The place is free again; only the first call counts. */
  release(): void;
}

/** The part of a request's options that says where it goes; see UpstreamAgent. */
export function targetOptions(address: string): UpstreamRequestOptions {
  return { upstream: address };
}
