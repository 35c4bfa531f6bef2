/**
 * What happened to the requests of one direction and peer: typed-array counters that the request path increments and
 * that metrics, heartbeats and the admin door read. Everything counts from the start of the process and only rises.
 */
import { Histogram } from '../../proto/kernel/histogram.ts';
import { reasonCount } from '../../proto/reasons.ts';

export class TrafficStats {
  readonly direction: 'inbound' | 'outbound';
  /** Own service for inbound, the target for outbound: `ns/svc`. */
  readonly peer: string;
  requests = 0;
  success = 0;
  failure = 0;
  /** Ended without a verdict on the upstream: cancelled, or it said "overloaded". */
  ignored = 0;
  /** By reason code; the answer was ours. */
  readonly rejected = new Float64Array(reasonCount);
  /** By reason code: in shadow mode it would have been ours. */
  readonly wouldReject = new Float64Array(reasonCount);
  inFlight = 0;
  /** Requests that reached an upstream, from arrival to the end of the response. */
  readonly durations = new Histogram();

  constructor(direction: 'inbound' | 'outbound', peer: string) {
    this.direction = direction;
    this.peer = peer;
  }
}
