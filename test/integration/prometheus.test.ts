/** A real Prometheus watches the demo: every sidecar is up, what the dashboard shows is there, and a drop is counted. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rows } from '../../deploy/grafana/dashboard.ts';
import { rulesYaml } from '../../deploy/grafana/rules.ts';
import { DemoMesh } from '../../deploy/local/mesh.ts';
import { Processes } from '../../deploy/local/processes.ts';
import { prometheus, type RunningPrometheus, startPrometheus } from '../support/prometheus.ts';
import { until } from '../support/until.ts';

const dashboardMetrics = new Set(
  rows
    .flatMap(({ panels }) => panels)
    .flatMap(({ series }) => series)
    .flatMap(([expr]) => expr.match(/weir_[a-z0-9_]+/g) ?? []),
);
/** They have series only once such a thing has happened. */
const onlyWhenItHappens =
  /^weir_(requests_(rejected|would_reject)|route_|breaker_|retries|hedges|endpoint_|http2_limit|flow_control_(ended|stalled)|messages_|rate_limit_|fallbacks|stale_|parked_|dlq_|deliveries_|dead_letters_)/;

describe.skipIf(prometheus === null)('Prometheus beside the demo', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'weir-demo-test-'));
  const processes = new Processes(dataDir, () => {});
  let mesh: DemoMesh;
  let server: RunningPrometheus;

  beforeAll(async () => {
    mesh = await DemoMesh.start({ processes, dataDir, seed: 1, apiPort: 0, calibrate: false, onStep: () => {} });
    server = await startPrometheus(mesh.metrics, rulesYaml());
  }, 60_000);

  afterAll(async () => {
    await server?.stop();
    await mesh?.stop();
    await processes.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }, 30_000);

  it('finds every sidecar up, and every metric of the dashboard that is there from the start', async () => {
    await until(async () => (await server.query('up == 1')).length === mesh.sidecarCount, {
      what: 'all sidecars are scraped',
      timeoutMs: 15_000,
    });
    // A histogram has series once something was recorded.
    await ask(mesh.orders.with[0]!);
    await until(async () => (await server.query('weir_request_duration_seconds_count > 0')).length > 0, {
      what: 'a duration is there',
      timeoutMs: 15_000,
    });
    const known = await server.query('count by (__name__) ({__name__=~"weir_.+"})');
    const names = new Set(known.map(({ labels }) => labels.__name__));
    const missing = [...dashboardMetrics].filter((name) => !names.has(name) && !onlyWhenItHappens.test(name));
    expect(missing).toEqual([]);
  });

  it('counts what a limit refuses, by reason', async () => {
    await mesh.api.apply({
      apiVersion: 'weir.dev/v1alpha1',
      kind: 'TrafficPolicy',
      metadata: { name: 'orders' },
      spec: { target: { service: 'orders' }, inbound: { rateLimits: [{ name: 'one', rate: '1/h', burst: 1 }] } },
    });
    await until(async () => (await ask(mesh.orders.with[0]!)) === 429, {
      what: 'a request is refused',
      timeoutMs: 10_000,
    });
    const refused = await until(
      async () => {
        const found = await server.query('sum by (reason) (weir_requests_rejected_total{upstream="shop/orders"}) > 0');
        return found.find(({ labels }) => labels.reason === 'rate_limit');
      },
      { what: 'the refusal is counted', timeoutMs: 15_000 },
    );
    expect(refused.value).toBeGreaterThanOrEqual(1);
  });
});

/** The status; 0 when the app, which expects gRPC, has no answer to this. */
async function ask(address: string): Promise<number> {
  try {
    const response = await fetch(`http://${address}/`, { signal: AbortSignal.timeout(1000) });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return 0;
  }
}
