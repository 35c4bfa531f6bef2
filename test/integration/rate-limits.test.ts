/** Rate limits over real sockets: pacing, windows, costs, and the fields that tell of them; in one thread and in two. */
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { startHttpApp } from '../support/http-app.ts';
import { sidecarDoors, startWeir, text } from '../support/process.ts';
import { startSidecar } from '../support/sidecar.ts';
import { tempDir } from '../support/temp-dir.ts';

const document = (inbound: string, enforcement = 'enforce'): string =>
  `apiVersion: weir.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: orders, namespace: shop }
spec:
  target: { service: orders }
  enforcement: ${enforcement}
  inbound:
${inbound}`;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly atMs: number;
}

/** Each on a connection of its own, so that threads share them. */
function get(address: string, path = '/', headers: http.OutgoingHttpHeaders = {}): Promise<Answer> {
  const [host, port] = address.split(':');
  return new Promise((resolve, reject) => {
    const request = http.get({ host, port, path, headers, agent: false }, (response) => {
      response.resume().on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, atMs: performance.now() });
      });
    });
    request.on('error', reject);
  });
}

const statuses = (answers: readonly Answer[]): number[] => answers.map(({ status }) => status).sort();

describe.each([1, 2])('rate limits in a sidecar with --concurrency %i', (concurrency) => {
  it('pace, count and charge exactly, for all threads together', async () => {
    const app = await startHttpApp();
    cleanups.push(() => app.stop());
    const file = join(tempDir('limits').path, 'policy.yaml');
    writeFileSync(
      file,
      document(`    rateLimits: []
  routes:
    - name: paced
      match: { path: { exact: /paced } }
      inbound: { rateLimits: [{ name: paced, rate: 20/s, algorithm: { leakyBucket: { waitMax: 10s, requestsMax: 5 } } }] }
    - name: hourly
      match: { path: { exact: /hourly } }
      inbound: { rateLimits: [{ name: hourly, rate: 4/h, algorithm: { fixedWindow: {} }, key: { header: x-id } }] }
    - name: costly
      match: { path: { exact: /costly } }
      inbound: { rateLimits: [{ name: costly, rate: 1/h, burst: 10, cost: { constant: 4 } }] }
`),
    );
    const sidecar = await startWeir([
      ...['sidecar', '--concurrency', String(concurrency), '--service', 'shop/orders', '--app', app.address],
      ...['--app-protocol', 'http1', '--policy', file, '--log-format', 'json', ...sidecarDoors],
    ]);
    cleanups.push(() => sidecar.stop());
    const inbound = text(sidecar.listening, 'inbound');
    const many = (count: number, path: string, headers = {}): Promise<Answer[]> =>
      Promise.all(Array.from({ length: count }, () => get(inbound, path, headers)));

    const beganMs = performance.now();
    const paced = await many(8, '/paced');
    // One at once, five in the line, and one more for each 50 ms that the eight took to arrive.
    const admitted = paced.filter(({ status }) => status === 200);
    expect(admitted.length).toBeGreaterThanOrEqual(6);
    expect(statuses(paced).slice(admitted.length)).toEqual(Array(8 - admitted.length).fill(429));
    const lastMs = Math.max(...admitted.map(({ atMs }) => atMs));
    expect(lastMs - beganMs).toBeGreaterThan((admitted.length - 1) * 50 - 5);

    expect(statuses(await many(6, '/hourly', { 'x-id': 'a' }))).toEqual([200, 200, 200, 200, 429, 429]);
    const other = await many(5, '/hourly', { 'x-id': 'b' });
    expect(statuses(other)).toEqual([200, 200, 200, 200, 429]);
    expect(other.find(({ status }) => status === 429)?.headers).toMatchObject({
      'ratelimit-policy': '"hourly";q=4;w=3600',
      ratelimit: expect.stringMatching(/^"hourly";r=0;t=3[56]00$/),
      'retry-after': '60',
      'weir-reason': 'rate_limit',
    });
    expect(statuses(await many(4, '/costly'))).toEqual([200, 200, 429, 429]);
  });
});

describe('rate limits in a sidecar', () => {
  const start = async (policy: string, meshToken?: string) => {
    const app = await startHttpApp();
    cleanups.push(() => app.stop());
    const argv = ['--service', 'shop/orders', '--app', app.address, '--app-protocol', 'http1'];
    const sidecar = await startSidecar({ argv, policy, ...(meshToken && { meshToken }) });
    cleanups.push(() => sidecar.stop());
    return sidecar;
  };

  it('tell of themselves on admitted answers where the policy says so', async () => {
    const { inbound } = await start(
      document(`    rateLimits: [{ name: total, rate: 10/s, burst: 100 }, { name: few, rate: 1/h, burst: 3 }]
    signals: { rateLimitFields: true }
`),
    );
    const told = [await get(inbound), await get(inbound), await get(inbound), await get(inbound)];
    expect(told.map(({ status, headers }) => [status, headers.ratelimit])).toEqual([
      [200, '"few";r=2;t=3600'],
      [200, '"few";r=1;t=7200'],
      [200, '"few";r=0;t=11000'],
      [429, '"few";r=0;t=3600'],
    ]);
    for (const { headers } of told) expect(headers['ratelimit-policy']).toBe('"total";q=100;w=10, "few";q=3;w=10800');
  });

  it('give the place of a caller that goes away to others, and let its turn pass', async () => {
    const { inbound } = await start(
      document(`    rateLimits: [{ name: paced, rate: 4/s, algorithm: { leakyBucket: { requestsMax: 1 } } }]\n`),
    );
    expect((await get(inbound)).status).toBe(200);
    const [host, port] = inbound.split(':');
    const gone = http.get({ host, port, agent: false });
    const ended = new Promise((resolve) => gone.on('error', resolve));
    // The line holds one: while that one waits, others are refused.
    let waiting = false;
    while (!waiting) waiting = (await get(inbound)).status === 429;
    gone.destroy();
    await ended;
    let answer = await get(inbound);
    while (answer.status === 429) answer = await get(inbound);
    expect(answer.status).toBe(200);
  });

  it('count in shadow, refuse nobody and keep nobody waiting', async () => {
    const { inbound, metrics } = await start(
      document(
        `    rateLimits: [{ name: paced, rate: 1/s, algorithm: { leakyBucket: { waitMax: 2s, requestsMax: 2 } } }]\n`,
        'shadow',
      ),
    );
    const beganMs = performance.now();
    const answers = await Promise.all(Array.from({ length: 6 }, () => get(inbound)));
    expect(statuses(answers)).toEqual(Array(6).fill(200));
    expect(performance.now() - beganMs).toBeLessThan(900);
    const lines = await fetch(`http://${metrics}/metrics`).then((response) => response.text());
    expect(lines.split('\n').filter((line) => /would_reject.*rate_limit/.test(line))).toEqual([
      'weir_requests_would_reject_total{direction="inbound",upstream="shop/orders",reason="rate_limit"} 3',
    ]);
  });
});
