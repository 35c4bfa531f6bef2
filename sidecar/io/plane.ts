/**
 * The data plane as the control side sees it: what it may read and the few things it may ask for. The control side does
 * not know in how many threads the requests run.
 */
import type { PolicySpec } from '../../proto/policy/schema.ts';
import type { Targets } from '../exchange/targets.ts';
import type { TrafficStats } from '../exchange/traffic-stats.ts';
import type { FlowReading, StreamView } from '../http2/flow-view.ts';
import type { LivePolicy, PolicyOrigin } from '../policy/swap.ts';
import type { TlsReading } from './tls/tls-stats.ts';
import type { EndpointView } from './upstream/endpoint-connections.ts';

export interface OverloadReading {
  /** The share of new requests that is refused, 0..1. */
  readonly shedShare: number;
  readonly cause: string;
  /** Heap in use, of what it may be. */
  readonly heapShare: number;
}

export interface Plane {
  /** Of the own service. */
  readonly policy: LivePolicy;
  readonly inboundTraffic: TrafficStats;
  readonly unrouted: TrafficStats;
  readonly targets: Targets;
  readonly connections: number;
  readonly streams: number;
  readonly bufferedBytes: number;
  /** Of the pool, by address. */
  readonly upstreamConnections: readonly EndpointView[];
  readonly loopLagMs: number;
  /** Of breakers, by "upstream|from|to". */
  readonly transitions: ReadonlyMap<string, number>;
  /** How much the proxy sheds to save itself. */
  readonly overload: OverloadReading;
  /** How often peers ran into bounds of the HTTP/2 engine, by `Limit` code. */
  readonly limitTrips: Float64Array;
  readonly flow: FlowReading;
  /** The streams that hold most, as of now. */
  streamViews(): StreamView[];
  /** Handshakes, PROXY headers and certificates; null before it listens. */
  tlsReading(): TlsReading | null;
  /** For the own service or a target in use. Throws when the spec cannot be compiled; then nothing has changed. */
  applyPolicy(target: string, spec: PolicySpec | null, origin: PolicyOrigin, nowMs: number): void;
}
