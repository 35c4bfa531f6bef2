/**
 * What a request to an HTTP/1.1 endpoint is given: where to go, and a place among those that may go there at a time.
 */
import type http from 'node:http';
import type { ConnectionLimits } from '../http2/limits.ts';
import { connectOptions } from './connect-options.ts';
import type { Http1Agent } from './http1-agent.ts';

export interface Http1Sockets {
  readonly address: string;
  /** Sockets that are kept. */
  readonly agent: Http1Agent;
  /** Sockets for one request. */
  readonly fresh: http.Agent;
  readonly limits: ConnectionLimits;
}

export interface Http1Place extends Http1Sockets {
  readonly connectTimeoutMs: number;
  /** The place is free again; only the first call counts. */
  release(): void;
}

/** The part of a request's options that says where it goes. */
export function targetOptions(address: string): { socketPath: string } | { host: string; port: number } {
  const target = connectOptions(address);
  return 'path' in target ? { socketPath: target.path } : target;
}
