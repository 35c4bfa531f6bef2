/**
 * The alerts, as data; generate.ts writes them as Prometheus rules. There is one for every reason with which Weir refuses
 * or fails a request, made from the one list of reasons, so that no kind of drop can be added without an alert. What is
 * meant to happen under overload (a limit that holds) waits longer and only warns.
 */
import { type ReasonRow, reasonTable } from '../../proto/reasons.ts';

export interface Alert {
  readonly name: string;
  readonly expr: string;
  /** How long it must be so. */
  readonly for: string;
  readonly severity: 'warning' | 'critical';
  readonly summary: string;
  /** What to look at first. */
  readonly description: string;
}

/** Of the requests of a service, in the same direction. */
const shareOfReason = (reason: string): string =>
  `sum by (direction, upstream) (rate(weir_requests_rejected_total{reason="${reason}"}[1m])) > 0.1`;

/** Callers' mistakes and departures: no drop of ours, and no concern unless they are many. */
const callersFaultRate = 10;

export const dropAlerts: readonly Alert[] = reasonTable.slice(1).map(dropAlert);

function dropAlert(row: ReasonRow): Alert {
  const isCallers = row.kind === 'downstream';
  const expr = shareOfReason(row.name);
  return {
    name: `WeirDrops${camel(row.name)}`,
    expr: isCallers ? expr.replace('> 0.1', `> ${callersFaultRate}`) : expr,
    for: row.kind === 'upstream' ? '1m' : '2m',
    severity: row.kind === 'upstream' ? 'critical' : 'warning',
    summary: `Weir answers requests of {{ $labels.upstream }} itself ({{ $labels.direction }}): ${row.message}`,
    description: {
      refused: `{{ $value | humanize }} requests a second are refused with reason ${row.name}. Its policy says so: see whether the load, the service or the policy is not as it should be.`,
      upstream: `{{ $value | humanize }} requests a second fail with reason ${row.name}: the service, or the way to it, is not well.`,
      downstream: `{{ $value | humanize }} requests a second end with reason ${row.name}, which is the callers' doing: look at who calls.`,
    }[row.kind],
  };
}

export function camel(name: string): string {
  return name.replace(/(^|_)([a-z])/g, (_, _separator, letter: string) => letter.toUpperCase());
}

export const stateAlerts: readonly Alert[] = [
  {
    name: 'WeirDeadLetters',
    expr: 'max by (service) (weir_dlq_messages) > 0',
    for: '5m',
    severity: 'warning',
    summary: 'There are dead letters of {{ $labels.service }}',
    description:
      '{{ $value | humanize }} parked requests could not be delivered. `weir dlq ls {{ $labels.service }}` says why; redrive, export or discard them.',
  },
  {
    name: 'WeirDeadLetterNotStored',
    expr: 'sum by (queue) (rate(weir_deliveries_total{result="unburied"}[5m])) > 0',
    for: '2m',
    severity: 'critical',
    summary: 'Dead letters cannot be stored',
    description: 'They stay parked and are tried again. Is WEIR_DLQ full? `weir dlq discard` or `export` makes room.',
  },
  {
    name: 'WeirParkingRefused',
    expr: 'sum by (upstream, result) (rate(weir_parked_total{result=~"no_memory|unreachable|full|unconfirmed"}[5m])) > 0',
    for: '2m',
    severity: 'warning',
    summary: 'Requests to {{ $labels.upstream }} that should be parked are refused: {{ $labels.result }}',
    description:
      'Their callers have to keep them. full: the bound of the policy or of WEIR_RETRY; unreachable, unconfirmed: NATS; no_memory: --parking-memory-max.',
  },
  {
    name: 'WeirParkedNotDelivered',
    expr: 'max by (service) (weir_parked_messages) > 0 and min by (service) (delta(weir_parked_messages[15m])) >= 0',
    for: '15m',
    severity: 'warning',
    summary: 'What is parked for {{ $labels.service }} does not get less',
    description:
      '{{ $value | humanize }} requests are parked. Is the service well, and has its limit room for the lowest tier?',
  },
  {
    name: 'WeirBreakerOpen',
    expr: 'max by (upstream) (weir_breaker_state) >= 2 and max by (upstream) (weir_breaker_state) <= 4',
    for: '30s',
    severity: 'critical',
    summary: 'A circuit breaker toward {{ $labels.upstream }} is open',
    description: 'Calls are refused at the caller. `weir breakers` says since when and why.',
  },
  {
    name: 'WeirBreakerForced',
    expr: 'max by (upstream) (weir_breaker_state) >= 4',
    for: '10m',
    severity: 'warning',
    summary: 'An operator holds the circuit breaker toward {{ $labels.upstream }}',
    description: 'A forced state ends by itself, at the time that came with it.',
  },
  {
    name: 'WeirShadowWouldReject',
    expr: 'sum by (direction, upstream, reason) (rate(weir_requests_would_reject_total[5m])) > 0.1',
    for: '5m',
    severity: 'warning',
    summary: 'A policy in shadow would refuse requests of {{ $labels.upstream }}: {{ $labels.reason }}',
    description: '{{ $value | humanize }} requests a second would be refused, were the policy enforced.',
  },
  {
    name: 'WeirSlowReadersEnded',
    expr: 'sum by (instance, cause) (rate(weir_flow_control_ended_total[5m])) > 0',
    for: '1m',
    severity: 'warning',
    summary: 'Streams are ended for flow control on {{ $labels.instance }}: {{ $labels.cause }}',
    description:
      'Their readers took nothing for too long, or held more than the memory allows. `weir stat` and the admin page /streams name them.',
  },
  {
    name: 'WeirMessagesDropped',
    expr: 'sum by (direction, upstream) (rate(weir_messages_dropped_total[5m])) > 1',
    for: '5m',
    severity: 'warning',
    summary: 'Readers of {{ $labels.upstream }} are too slow: messages are dropped ({{ $labels.direction }})',
    description:
      '{{ $value | humanize }} gRPC messages a second are lost, as flowControl of the policy asks. The page /streams on the admin port names the readers.',
  },
  {
    name: 'WeirBufferNearlyFull',
    expr: 'weir_flow_control_buffered_bytes / weir_flow_control_buffered_bytes_max > 0.8',
    for: '1m',
    severity: 'warning',
    summary:
      'Content waiting for slow readers fills {{ $value | humanizePercentage }} of the memory for it on {{ $labels.instance }}',
    description:
      'At the bound the largest streams are ended. Give the sidecar more (--buffer-max), or the streams less (flowControl.windowMax).',
  },
  {
    name: 'WeirProxyOverloaded',
    expr: 'weir_self_shed_ratio > 0',
    for: '30s',
    severity: 'critical',
    summary: 'The sidecar {{ $labels.instance }} sheds requests to save itself',
    description: 'Its event loop lags or its heap is nearly full: it needs more CPU or memory, or --concurrency.',
  },
  {
    name: 'WeirLoopLag',
    expr: 'weir_loop_lag_seconds > 0.05',
    for: '2m',
    severity: 'warning',
    summary: 'The event loop of {{ $labels.instance }} is {{ $value | humanizeDuration }} late',
    description: 'The sidecar gets too little CPU: its own latency is in every answer.',
  },
  {
    name: 'WeirPeersHitLimits',
    expr: 'sum by (limit) (rate(weir_http2_limit_total[5m])) > 0.1',
    for: '5m',
    severity: 'warning',
    summary: 'Peers run into the HTTP/2 limit {{ $labels.limit }}',
    description: 'An attack, or a client that needs another `--limit`. The log names the addresses.',
  },
  {
    name: 'WeirWorkerDied',
    expr: 'increase(weir_worker_deaths_total[10m]) > 0',
    for: '0s',
    severity: 'critical',
    summary: 'A worker of the sidecar {{ $labels.instance }} died',
    description: 'It was replaced; its requests were lost. The log says why.',
  },
  {
    name: 'WeirNoEndpoints',
    expr: 'weir_endpoint_known > 0 and weir_endpoint_healthy == 0',
    for: '30s',
    severity: 'critical',
    summary: 'No endpoint of {{ $labels.upstream }} is healthy, as {{ $labels.instance }} sees it',
    description: 'All are tried nevertheless. See the health checks and whether they can be reached.',
  },
  {
    name: 'WeirControlPlaneGone',
    expr: 'weir_control_plane_connected == 0',
    for: '5m',
    severity: 'warning',
    summary: 'The sidecar {{ $labels.instance }} hears nothing from the control plane',
    description: 'It goes on with the last policies that it knows; fleet verdicts have expired. See NATS.',
  },
  {
    name: 'WeirPoliciesDiffer',
    expr: 'max by (target) (weir_policy_generation) - min by (target) (weir_policy_generation) > 0',
    for: '10m',
    severity: 'warning',
    summary: 'Sidecars have different versions of the policy of {{ $labels.target }}',
    description: 'For longer than a rollout takes. `weir get instances` says which are behind.',
  },
  {
    name: 'WeirRetryBudgetSpent',
    expr: 'sum by (upstream) (rate(weir_retries_total{result="no_budget"}[1m])) > 0.1',
    for: '2m',
    severity: 'warning',
    summary: 'Retries toward {{ $labels.upstream }} are held back: their budget is spent',
    description: 'More fails than a retry could cure; the failures go on to the callers.',
  },
  {
    name: 'WeirFallbacksAnswer',
    expr: 'sum by (upstream, kind) (rate(weir_fallbacks_total[1m])) > 0.1',
    for: '2m',
    severity: 'warning',
    summary: 'Something else ({{ $labels.kind }}) answers for {{ $labels.upstream }}',
    description:
      '{{ $value | humanize }} requests a second look answered, and the service did not do what they ask for.',
  },
  {
    name: 'WeirRateLimitKeysOverflow',
    expr: 'sum by (limit, route) (rate(weir_rate_limit_key_overflows_total[1m])) > 0.1',
    for: '2m',
    severity: 'warning',
    summary: 'The rate limit {{ $labels.limit }} has more keys than it can tell apart',
    description:
      'Newcomers share one bucket, and are refused for what others send. An attack with made-up keys, or keysMax is too small.',
  },
  {
    name: 'WeirEjectionsCapped',
    expr: 'sum by (upstream) (rate(weir_outlier_ejections_total{cause="refused_by_cap"}[5m])) > 0',
    for: '2m',
    severity: 'warning',
    summary: 'More endpoints of {{ $labels.upstream }} fare badly than may be ejected',
    description:
      'Requests go on to endpoints that fail: the service as a whole is ill, or maxEjectedPercent is too low.',
  },
  {
    name: 'WeirCertificateExpires',
    expr: 'weir_tls_certificate_expiry_timestamp_seconds - time() < 7 * 86400',
    for: '10m',
    severity: 'critical',
    summary: 'A certificate of {{ $labels.instance }} expires in {{ $value | humanizeDuration }}',
    description: 'Renewed files are taken up without a restart.',
  },
];

export const alerts: readonly Alert[] = [...dropAlerts, ...stateAlerts];
