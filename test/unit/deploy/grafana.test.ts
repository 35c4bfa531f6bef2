/** The alerts and the dashboard: in step with what they are made from, accepted by promtool, and about metrics there are. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { alerts, camel, dropAlerts, stateAlerts } from '../../../deploy/grafana/alerts.ts';
import { dashboardJson, rows } from '../../../deploy/grafana/dashboard.ts';
import { rulesYaml } from '../../../deploy/grafana/rules.ts';
import { reasonTable } from '../../../proto/reasons.ts';
import { promtool, runPromtool } from '../../support/prometheus.ts';

const file = (name: string): string =>
  readFileSync(new URL(`../../../deploy/grafana/${name}`, import.meta.url), 'utf8');

describe('deploy/grafana', () => {
  it('holds the rules and the dashboard as they are generated', () => {
    expect(file('weir-rules.yaml')).toBe(rulesYaml());
    expect(JSON.parse(file('weir-dashboard.json'))).toEqual(dashboardJson());
  });

  it('has one alert for each reason, and no two alerts of one name', () => {
    expect(dropAlerts.map(({ name }) => name)).toEqual(
      reasonTable.slice(1).map(({ name }) => `WeirDrops${camel(name)}`),
    );
    const names = alerts.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  it('scrapes the port that the sidecar has', () => {
    const sidecar = readFileSync(new URL('../../../deploy/kubernetes/sidecar/sidecar.yaml', import.meta.url), 'utf8');
    expect(file('prometheus.yaml')).toContain('regex: weir-metrics');
    expect(sidecar).toContain('name: weir-metrics');
  });
});

describe.skipIf(promtool === null)('The rules, to promtool', () => {
  it('are valid', () => {
    const { ok, output } = runPromtool(['check', 'rules', 'rules.yaml'], { 'rules.yaml': rulesYaml() });
    expect(output).toContain(`SUCCESS: ${alerts.length} rules found`);
    expect(ok).toBe(true);
  });

  it('have expressions on the dashboard that are valid too', () => {
    const expressions = rows
      .flatMap(({ panels }) => panels)
      .flatMap(({ series }) => series)
      .map(([expr]) => expr.replaceAll('$__rate_interval', '1m'));
    const rules = expressions.map((expr, i) => ({ record: `panel:${i}`, expr }));
    const { output } = runPromtool(['check', 'rules', 'panels.yaml'], {
      'panels.yaml': stringify({ groups: [{ name: 'panels', rules }] }),
    });
    expect(output).toContain(`SUCCESS: ${expressions.length} rules found`);
  });

  it('raise the alert of every kind of drop when it goes on, and no other', () => {
    const tests = reasonTable.slice(1).map(({ name }, i) => ({
      interval: '15s',
      // 20 a second: more than the least that any of them is about.
      input_series: [
        {
          series: `weir_requests_rejected_total{direction="inbound",upstream="shop/${name}",reason="${name}"}`,
          values: '0+300x40',
        },
      ],
      alert_rule_test: dropAlerts.map((alert, j) => ({
        eval_time: '6m',
        alertname: alert.name,
        exp_alerts: i === j ? [raised(alert, `shop/${name}`)] : [],
      })),
    }));
    const { ok, output } = runPromtool(['test', 'rules', 'tests.yaml'], {
      'rules.yaml': rulesYaml(),
      'tests.yaml': stringify({ rule_files: ['rules.yaml'], tests }),
    });
    expect(output).toContain('SUCCESS');
    expect(ok).toBe(true);
  });

  it('raise nothing while a trickle is refused, and the alerts of states in their states', () => {
    const series = {
      WeirBreakerOpen: ['weir_breaker_state{upstream="shop/a"}', '2x40'],
      WeirBreakerForced: ['weir_breaker_state{upstream="shop/a"}', '5x120'],
      WeirControlPlaneGone: ['weir_control_plane_connected{instance="i"}', '0x80'],
      WeirProxyOverloaded: ['weir_self_shed_ratio{instance="i"}', '0.2x40'],
      WeirWorkerDied: ['weir_worker_deaths_total{instance="i"}', '0x10 1x30'],
      WeirRetryBudgetSpent: ['weir_retries_total{upstream="shop/a",result="no_budget"}', '0+30x80'],
      WeirFallbacksAnswer: ['weir_fallbacks_total{upstream="shop/a",kind="static"}', '0+30x80'],
      WeirRateLimitKeysOverflow: ['weir_rate_limit_key_overflows_total{limit="a",route=""}', '0+30x80'],
      WeirEjectionsCapped: ['weir_outlier_ejections_total{upstream="shop/a",cause="refused_by_cap"}', '0+1x80'],
      WeirSlowReadersEnded: ['weir_flow_control_ended_total{instance="i",what="stream",cause="stall"}', '0+3x80'],
      WeirMessagesDropped: ['weir_messages_dropped_total{direction="inbound",upstream="shop/a"}', '0+60x80'],
    } as const;
    const tests = Object.entries(series).map(([name, [metric, values]]) => ({
      interval: '15s',
      input_series: [
        { series: metric, values },
        {
          series: 'weir_requests_rejected_total{direction="inbound",upstream="shop/a",reason="rate_limit"}',
          values: '0+1x40',
        },
      ],
      promql_expr_test: [
        { eval_time: name === 'WeirBreakerForced' ? '25m' : '9m30s', expr: firing(name), exp_samples: [one] },
        { eval_time: '6m', expr: firing('WeirDropsRateLimit'), exp_samples: [{ labels: '{}', value: 0 }] },
      ],
    }));
    const { ok, output } = runPromtool(['test', 'rules', 'tests.yaml'], {
      'rules.yaml': rulesYaml(),
      'tests.yaml': stringify({ rule_files: ['rules.yaml'], tests }),
    });
    expect(output).toContain('SUCCESS');
    expect(ok).toBe(true);
    expect(stateAlerts.map(({ name }) => name)).toEqual(expect.arrayContaining(Object.keys(series)));
  });
});

const one = { labels: '{}', value: 1 };

function firing(alertname: string): string {
  return `count(ALERTS{alertname="${alertname}",alertstate="firing"}) or vector(0)`;
}

function raised(alert: (typeof dropAlerts)[number], upstream: string): unknown {
  const filled = (text: string): string =>
    text
      .replaceAll('{{ $labels.upstream }}', upstream)
      .replaceAll('{{ $labels.direction }}', 'inbound')
      .replaceAll('{{ $value | humanize }}', '20');
  return {
    exp_labels: { severity: alert.severity, direction: 'inbound', upstream },
    exp_annotations: { summary: filled(alert.summary), description: filled(alert.description) },
  };
}
