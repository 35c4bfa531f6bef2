/**
 * Why Weir refused or failed a request: the one list, and the one table that says what each reason looks like on
 * the wire. The proxy works with the small integers (they index its typed-array counters); everything people read
 * uses the snake_case names.
 */

/** gRPC status codes that Weir itself answers with. */
export const grpcStatus = {
  cancelled: 1,
  deadlineExceeded: 4,
  permissionDenied: 7,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** Who is to blame, which decides how breakers and dashboards count it. */
export type ReasonKind =
  /** Our own policy said no; never a failure of the upstream. */
  | 'refused'
  /** The upstream, or the way to it, failed. */
  | 'upstream'
  /** The caller went away or sent something wrong. */
  | 'downstream';

export interface ReasonRow {
  readonly name: string;
  readonly kind: ReasonKind;
  readonly http: number;
  readonly grpc: number;
  /** Whether the answer carries Retry-After and grpc-retry-pushback-ms. */
  readonly pushback: boolean;
  /** One sentence for the caller and the log. */
  readonly message: string;
}

const row = (
  name: string,
  kind: ReasonKind,
  http: number,
  grpc: number,
  pushback: boolean,
  message: string,
): ReasonRow => ({ name, kind, http, grpc, pushback, message });

/** Index = reason code. Code 0 is "no reason": the request went through. */
export const reasonTable: readonly ReasonRow[] = [
  row('none', 'refused', 200, 0, false, ''),
  row('rate_limit', 'refused', 429, grpcStatus.resourceExhausted, true, 'rate limit exceeded'),
  row(
    'queue_full',
    'refused',
    503,
    grpcStatus.resourceExhausted,
    true,
    'concurrency limit reached and the queue is full',
  ),
  row('queue_timeout', 'refused', 503, grpcStatus.resourceExhausted, true, 'waited too long in the queue'),
  row('shed', 'refused', 503, grpcStatus.resourceExhausted, true, 'shed: the service is overloaded'),
  row('breaker_open', 'refused', 503, grpcStatus.unavailable, true, 'circuit breaker is open'),
  row(
    'fleet_breaker_open',
    'refused',
    503,
    grpcStatus.unavailable,
    true,
    'circuit breaker is open for the whole fleet',
  ),
  row('deadline', 'upstream', 504, grpcStatus.deadlineExceeded, false, 'deadline exceeded'),
  row('flow_control', 'refused', 503, grpcStatus.resourceExhausted, true, 'flow-control limit reached'),
  row('draining', 'refused', 503, grpcStatus.unavailable, true, 'the proxy is draining'),
  row('no_route', 'downstream', 404, grpcStatus.unimplemented, false, 'no service is known by this authority'),
  row('no_endpoints', 'upstream', 503, grpcStatus.unavailable, true, 'no endpoint of the service is known'),
  row('upstream_connect', 'upstream', 503, grpcStatus.unavailable, true, 'no connection to the upstream'),
  row('upstream_reset', 'upstream', 502, grpcStatus.unavailable, false, 'the upstream ended the stream early'),
  row('upstream_protocol', 'upstream', 502, grpcStatus.internal, false, 'the upstream sent an invalid response'),
  row('bad_request', 'downstream', 400, grpcStatus.internal, false, 'malformed request'),
  row('unauthenticated', 'downstream', 401, grpcStatus.unauthenticated, false, 'missing or wrong mesh token'),
  row('cancelled', 'downstream', 499, grpcStatus.cancelled, false, 'the caller cancelled'),
  row('internal', 'upstream', 500, grpcStatus.internal, false, 'internal error in the proxy'),
  row('headers_too_large', 'downstream', 431, grpcStatus.resourceExhausted, false, 'header list too large'),
  row('proxy_overload', 'refused', 503, grpcStatus.unavailable, true, 'the proxy itself is overloaded'),
  row('request_timeout', 'downstream', 408, grpcStatus.cancelled, false, 'the request took too long to arrive'),
  row('connect_refused', 'downstream', 405, grpcStatus.unimplemented, false, 'this proxy opens no tunnels by CONNECT'),
  row('unsupported', 'downstream', 501, grpcStatus.unimplemented, false, 'the upstream takes no upgrades over HTTP/2'),
  row('try_timeout', 'upstream', 504, grpcStatus.deadlineExceeded, false, 'no answer in the time of one attempt'),
  row('evicted', 'refused', 503, grpcStatus.resourceExhausted, true, 'gave its place in the full queue to another'),
  row(
    'queue_shed',
    'refused',
    503,
    grpcStatus.resourceExhausted,
    true,
    'waited too long while the service is overloaded',
  ),
  row(
    'deadline_unreachable',
    'refused',
    503,
    grpcStatus.resourceExhausted,
    true,
    'its deadline comes before an answer could',
  ),
  row('paused', 'refused', 503, grpcStatus.resourceExhausted, true, 'the service takes no more requests for now'),
  row(
    'upstream_level',
    'refused',
    503,
    grpcStatus.resourceExhausted,
    true,
    'shed by the caller: the service takes in only what is more important',
  ),
  row('client_throttle', 'refused', 503, grpcStatus.resourceExhausted, true, 'shed by the caller: the service sheds'),
  row('degraded', 'refused', 503, grpcStatus.resourceExhausted, true, 'switched off while the service is overloaded'),
];

/** Reason codes by camelCase name; the order is the table's. */
export const Reason = {
  none: 0,
  rateLimit: 1,
  queueFull: 2,
  queueTimeout: 3,
  shed: 4,
  breakerOpen: 5,
  fleetBreakerOpen: 6,
  deadline: 7,
  flowControl: 8,
  draining: 9,
  noRoute: 10,
  noEndpoints: 11,
  upstreamConnect: 12,
  upstreamReset: 13,
  upstreamProtocol: 14,
  badRequest: 15,
  unauthenticated: 16,
  cancelled: 17,
  internal: 18,
  headersTooLarge: 19,
  proxyOverload: 20,
  requestTimeout: 21,
  connectRefused: 22,
  unsupported: 23,
  tryTimeout: 24,
  evicted: 25,
  queueShed: 26,
  deadlineUnreachable: 27,
  paused: 28,
  upstreamLevel: 29,
  clientThrottle: 30,
  degraded: 31,
} as const;

export type ReasonCode = (typeof Reason)[keyof typeof Reason];

export const reasonCount = reasonTable.length;

/** The snake_case name of a reason code. */
export function reasonName(code: number): string {
  return reasonTable[code]?.name ?? 'unknown';
}
