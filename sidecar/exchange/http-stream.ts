/**
 * A stream as the exchange sees it: HTTP/2's own streams have this shape, and the HTTP/1.1 edges imitate it. The
 * exchange never asks which of the two it holds.
 */
import type { HeaderList } from '../http2/hpack/field.ts';
import type { CreditSource, StreamHandler } from '../http2/stream.ts';

/** Where content goes. */
export interface ContentSink {
  readonly isClosed: boolean;
  /** The bytes are copied before this returns. */
  sendData(buf: Buffer, start: number, end: number, endStream: boolean): void;
  sendTrailers(list: HeaderList): void;
}

export interface HttpStream extends ContentSink, CreditSource {
  handler: StreamHandler | null;
  /** Gets the credit for what this stream sends, once it is drained. */
  source: CreditSource | null;
  /** The most that may come on it before it is drained; HTTP/1.1 has one size only. */
  limitWindow?(bytes: number): void;
  /** The peer has ended its side. */
  readonly remoteClosed: boolean;
  sendHeaders(list: HeaderList, endStream: boolean): void;
  reset(code: number): void;
  /** Whoever had it has done with it, and both sides have ended: it may become another stream. */
  release?(): void;
}

/** A connection to an endpoint that can take one more request now. */
export interface UpstreamConnection {
  /** Whether it can carry an extended CONNECT, the form in which upgrades pass the proxy (RFC 8441). */
  readonly takesExtendedConnect: boolean;
  request(list: HeaderList, endStream: boolean, handler: StreamHandler): HttpStream;
}

/** Who waits for a connection to an endpoint. */
export interface UpstreamWaiter {
  onConnection(connection: UpstreamConnection): void;
  /** `reason` says whether the endpoint could not be reached or we refused. */
  onConnectFailed(reason: number, detail: string): void;
}

export const Protocol = { http2: 0, http1: 1 } as const;

/** Where connections come from; the edge's pool. */
export interface Upstreams {
  /** Answers through the waiter, at once when a connection has room. */
  connect(address: string, protocol: number, connectTimeoutMs: number, waiter: UpstreamWaiter): void;
  /** The waiter is gone. */
  cancel(address: string, protocol: number, waiter: UpstreamWaiter): void;
}
