/**
 * The dashboard, as data in the terms of what it shows; `dashboardJson` turns it into Grafana's. Rows follow a request's
 * way: what comes and how it ends, what is refused and why, how the app is protected, what is said to callers, how
 * streams flow, how the sidecars themselves fare.
 */
export interface Panel {
  readonly title: string;
  readonly description: string;
  readonly unit: 'reqps' | 's' | 'short' | 'percentunit' | 'bytes' | 'ops';
  /** Expression and legend. */
  readonly series: readonly (readonly [expr: string, legend: string])[];
  readonly stacked?: boolean;
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

const where = 'upstream=~"$upstream",instance=~"$instance"';
const quantile = (share: number): readonly [string, string] => [
  `histogram_quantile(${share}, sum by (le, direction) (rate(weir_request_duration_seconds_bucket{${where}}[$__rate_interval])))`,
  `p${share * 100} {{direction}}`,
];
const rateBy = (labels: string, metric: string, more = ''): string =>
  `sum by (${labels}) (rate(${metric}{${where}${more}}[$__rate_interval]))`;

export const rows: readonly Row[] = [
  {
    title: 'Requests',
    panels: [
      {
        title: 'Requests by outcome',
        description: 'What reached a service, by what came of it; ignored says nothing about its health.',
        unit: 'reqps',
        series: [[rateBy('direction, outcome', 'weir_requests_total'), '{{direction}} {{outcome}}']],
        stacked: true,
      },
      {
        title: 'Success',
        description: 'Of what reached a service and says something about its health.',
        unit: 'percentunit',
        series: [
          [
            `${rateBy('upstream', 'weir_requests_total', ',outcome="success"')} / ${rateBy('upstream', 'weir_requests_total', ',outcome=~"success|failure"')}`,
            '{{upstream}}',
          ],
        ],
      },
      {
        title: 'Duration',
        description: 'Of what reached a service, waiting included.',
        unit: 's',
        series: [quantile(0.5), quantile(0.99)],
      },
    ],
  },
  {
    title: 'Refusals',
    panels: [
      {
        title: 'Refused, by reason',
        description: 'Answered by Weir itself.',
        unit: 'reqps',
        series: [[rateBy('direction, reason', 'weir_requests_rejected_total'), '{{direction}} {{reason}}']],
        stacked: true,
      },
      {
        title: 'Would be refused (shadow)',
        description: 'By policies that are not enforced yet.',
        unit: 'reqps',
        series: [[rateBy('direction, reason', 'weir_requests_would_reject_total'), '{{direction}} {{reason}}']],
        stacked: true,
      },
      {
        title: 'Routes',
        description: 'Requests of the routes that policies name.',
        unit: 'reqps',
        series: [[rateBy('direction, route', 'weir_route_requests_total'), '{{direction}} {{route}}']],
      },
    ],
  },
  {
    title: 'Protection of the app',
    panels: [
      {
        title: 'Concurrency',
        description: 'Requests in the app, and how many may be.',
        unit: 'short',
        series: [
          [
            'sum by (instance) (weir_inflight_requests{direction="inbound",instance=~"$instance"})',
            'in flight {{instance}}',
          ],
          ['weir_concurrency_limit{instance=~"$instance"}', 'limit {{instance}}'],
        ],
      },
      {
        title: 'Queue',
        description: 'Requests that wait for the app.',
        unit: 'short',
        series: [['weir_queue_depth{instance=~"$instance"}', '{{instance}}']],
      },
      {
        title: 'Rate limits',
        description:
          'Requests that wait for their turn at a leaky bucket; and those a second whose key found no bucket.',
        unit: 'short',
        series: [
          ['sum by (limit, route) (weir_rate_limit_waiting{instance=~"$instance"})', 'waiting {{limit}} {{route}}'],
          [
            'sum by (limit, route) (rate(weir_rate_limit_key_overflows_total{instance=~"$instance"}[$__rate_interval]))',
            'overflow/s {{limit}} {{route}}',
          ],
        ],
      },
      {
        title: 'Level',
        description: 'Priorities below it are taken in; 768 = all.',
        unit: 'short',
        series: [['weir_admission_level{instance=~"$instance"}', '{{instance}}']],
      },
    ],
  },
  {
    title: 'Protection of others',
    panels: [
      {
        title: 'Breakers',
        description: '0 closed, 1 half-open, 2 open, 3 ramp, 4 forced open, 5 forced closed.',
        unit: 'short',
        series: [[`max by (upstream) (weir_breaker_state{${where}})`, '{{upstream}}']],
      },
      {
        title: 'Changes of breakers',
        description: 'Each is in the log, with its cause.',
        unit: 'ops',
        series: [[rateBy('upstream, to', 'weir_breaker_transitions_total'), '{{upstream}} → {{to}}']],
      },
      {
        title: 'Retries and hedges',
        description: 'By what became of them.',
        unit: 'ops',
        series: [
          [rateBy('result', 'weir_retries_total'), 'retry {{result}}'],
          [rateBy('result', 'weir_hedges_total'), 'hedge {{result}}'],
        ],
      },
      {
        title: 'Endpoints',
        description: 'Known, and of them those that are healthy.',
        unit: 'short',
        series: [
          [`max by (upstream) (weir_endpoint_known{${where}})`, 'known {{upstream}}'],
          [`min by (upstream) (weir_endpoint_healthy{${where}})`, 'healthy {{upstream}}'],
          [`max by (upstream) (weir_endpoint_ejected{${where}})`, 'ejected {{upstream}}'],
        ],
      },
      {
        title: 'Fallbacks',
        description: 'Answered by something else than the service, which its callers may not notice.',
        unit: 'reqps',
        series: [[rateBy('upstream, kind', 'weir_fallbacks_total'), '{{upstream}} {{kind}}']],
      },
      {
        title: 'Last good answers',
        description: 'What is kept for when a service has none.',
        unit: 'bytes',
        series: [[`sum by (upstream) (weir_stale_answers_bytes{${where}})`, '{{upstream}}']],
      },
    ],
  },
  {
    title: 'Parked requests and queues',
    panels: [
      {
        title: 'Parked',
        description: 'Requests that were to be parked, by what became of them; only those parked are not refused.',
        unit: 'reqps',
        series: [[rateBy('upstream, result', 'weir_parked_total'), '{{upstream}} {{result}}']],
      },
      {
        title: 'Waiting',
        description: 'Parked for a service, and dead, as its sidecars see it.',
        unit: 'short',
        series: [
          ['max by (service) (weir_parked_messages)', '{{service}} parked'],
          ['max by (service) (weir_dlq_messages)', '{{service}} dead'],
        ],
      },
      {
        title: 'Delivered',
        description: 'Messages of queues that apps were given, and those that became dead letters.',
        unit: 'ops',
        series: [
          [
            'sum by (queue, result) (rate(weir_deliveries_total{instance=~"$instance"}[$__rate_interval]))',
            '{{queue}} {{result}}',
          ],
          [
            'sum by (queue, reason) (rate(weir_dead_letters_total{instance=~"$instance"}[$__rate_interval]))',
            '{{queue}} dead: {{reason}}',
          ],
        ],
      },
    ],
  },
  {
    title: 'Flow control',
    panels: [
      {
        title: 'Held for slow readers',
        description: 'And the bound, at which the largest are let go.',
        unit: 'bytes',
        series: [
          ['weir_flow_control_buffered_bytes{instance=~"$instance"}', '{{instance}}'],
          ['weir_flow_control_buffered_bytes_max{instance=~"$instance"}', 'bound {{instance}}'],
        ],
      },
      {
        title: 'Time stalled',
        description: 'Streams and connections that have something to send and may not, in seconds a second.',
        unit: 'short',
        series: [
          [
            'sum by (direction, scope) (rate(weir_flow_control_stalled_seconds_total{instance=~"$instance"}[$__rate_interval]))',
            '{{direction}} {{scope}}',
          ],
        ],
      },
      {
        title: 'Streams ended',
        description: 'For want of a reader, or of memory.',
        unit: 'ops',
        series: [
          [
            'sum by (what, cause) (rate(weir_flow_control_ended_total{instance=~"$instance"}[$__rate_interval]))',
            '{{what}} {{cause}}',
          ],
        ],
      },
      {
        title: 'Messages dropped',
        description: 'gRPC messages that a policy drops for slow readers; and those of shadow.',
        unit: 'ops',
        series: [
          [rateBy('upstream, cause', 'weir_messages_dropped_total'), '{{upstream}} {{cause}}'],
          [rateBy('upstream, cause', 'weir_messages_would_drop_total'), 'would {{upstream}} {{cause}}'],
        ],
      },
    ],
  },
  {
    title: 'The sidecars',
    panels: [
      {
        title: 'CPU',
        description: 'Cores in use.',
        unit: 'short',
        series: [['rate(weir_process_cpu_seconds_total{instance=~"$instance"}[$__rate_interval])', '{{instance}}']],
      },
      {
        title: 'Memory',
        description: 'Resident.',
        unit: 'bytes',
        series: [['weir_process_resident_memory_bytes{instance=~"$instance"}', '{{instance}}']],
      },
      {
        title: 'Lateness of the event loop',
        description: 'It is in every answer.',
        unit: 's',
        series: [['weir_loop_lag_seconds{instance=~"$instance"}', '{{instance}}']],
      },
      {
        title: 'Peers at HTTP/2 limits',
        description: 'Attacks, or clients that need other limits.',
        unit: 'ops',
        series: [
          ['sum by (limit) (rate(weir_http2_limit_total{instance=~"$instance"}[$__rate_interval]))', '{{limit}}'],
        ],
      },
    ],
  },
];

const columns = 24;
const height = 8;
const datasource = { type: 'prometheus', uid: '$datasource' };

export function dashboardJson(): unknown {
  const panels: unknown[] = [];
  let y = 0;
  let id = 1;
  for (const row of rows) {
    panels.push({
      id: id++,
      type: 'row',
      title: row.title,
      collapsed: false,
      gridPos: { x: 0, y: y++, w: columns, h: 1 },
    });
    const w = Math.floor(columns / row.panels.length);
    for (const [i, panel] of row.panels.entries()) {
      panels.push(panelJson(panel, id++, { x: i * w, y, w, h: height }));
    }
    y += height;
  }
  return {
    title: 'Weir',
    uid: 'weir',
    schemaVersion: 39,
    editable: true,
    time: { from: 'now-30m', to: 'now' },
    refresh: '10s',
    tags: ['weir'],
    templating: {
      list: [
        { name: 'datasource', type: 'datasource', query: 'prometheus', label: 'Data source' },
        variable('upstream', 'weir_requests_total', 'Service'),
        variable('instance', 'weir_build_info', 'Sidecar'),
      ],
    },
    panels,
  };
}

function variable(name: string, metric: string, label: string): unknown {
  const query = `label_values(${metric}, ${name})`;
  return { name, type: 'query', label, datasource, query, includeAll: true, multi: true, allValue: '.*', refresh: 2 };
}

function panelJson(panel: Panel, id: number, gridPos: unknown): unknown {
  return {
    id,
    type: 'timeseries',
    title: panel.title,
    description: panel.description,
    datasource,
    gridPos,
    fieldConfig: {
      defaults: {
        unit: panel.unit,
        min: 0,
        custom: { fillOpacity: panel.stacked ? 25 : 5, stacking: { mode: panel.stacked ? 'normal' : 'none' } },
      },
      overrides: [],
    },
    options: { legend: { displayMode: 'table', placement: 'bottom', calcs: ['lastNotNull', 'max'] } },
    targets: panel.series.map(([expr, legendFormat], i) => ({
      refId: String.fromCharCode(65 + i),
      expr,
      legendFormat,
      datasource,
    })),
  };
}
