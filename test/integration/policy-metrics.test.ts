/** What operators see of limits and fallbacks that refuse nobody yet: who waits, whose key had no place, what is kept. */
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { sidecarDoors, startWeir, text } from '../support/process.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { get, later, metric, policyAbout, type Reply, release, startWebApp } from '../support/web.ts';

afterEach(release);

const policy = `${policyAbout(
  'orders',
  `  routes:
    - name: paced
      match: { path: { exact: /paced } }
      inbound: { rateLimits: [{ name: pace, rate: 4/s, algorithm: { leakyBucket: { waitMax: 5s } } }] }
    - name: keyed
      match: { path: { exact: /keyed } }
      inbound: { rateLimits: [{ name: clients, rate: 1/h, burst: 9, key: { header: x-id }, keysMax: 1 }] }
`,
)}---\n${policyAbout(
  'pay',
  `  routes:
    - name: search
      match: { path: { prefix: /search } }
      outbound: { fallback: { on: [serverError], stale: {} } }
`,
)}`;

describe.each([1, 2])('a sidecar with --concurrency %i', (concurrency) => {
  it('shows who waits at a leaky bucket, keys without a bucket, and last good answers', async () => {
    let status = 200;
    const app = await startWebApp((_request, response) => response.writeHead(status).end('fresh'));
    const file = join(tempDir('metrics').path, 'policy.yaml');
    writeFileSync(file, policy);
    const sidecar = await startWeir([
      ...['sidecar', '--concurrency', String(concurrency), '--service', 'shop/orders', '--app', app],
      ...['--app-protocol', 'http1', '--endpoint', `shop/pay=${app}`, '--policy', file],
      ...['--log-format', 'json', '--access-log-sample', '1', ...sidecarDoors],
    ]);
    later(() => sidecar.stop());
    const [inbound, door] = [text(sidecar.listening, 'inbound'), text(sidecar.listening, 'metrics')];

    const waiting = 'weir_rate_limit_waiting{limit="pace",route="paced"} ';
    const paced = Promise.all([1, 2, 3].map(() => get(inbound, '/paced')));
    await until(async () => (await metric(door, waiting)) === 2, { what: 'two wait for their turn' });
    expect((await paced).map((got) => got.status)).toEqual([200, 200, 200]);
    expect(await metric(door, waiting)).toBe(0);

    for (const id of ['a', 'b', 'c', 'a']) await get(inbound, '/keyed', { 'x-id': id });
    expect(await metric(door, 'weir_rate_limit_key_overflows_total{limit="clients",route="keyed"} ')).toBe(2);

    // One connection, and so one thread, which has what it has seen.
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    later(() => agent.destroy());
    const search = (): Promise<Reply> =>
      new Promise((resolve, reject) => {
        const [host, port] = text(sidecar.listening, 'outbound').split(':');
        const headers = { host: 'pay.shop' };
        const request = http.get({ host, port, path: '/search/1', headers, agent }, (response) => {
          response.resume();
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body: '', headers: response.headers }));
        });
        request.on('error', reject);
      });
    await search();
    await until(async () => (await metric(door, 'weir_stale_answers{upstream="shop/pay"} ')) === 1, {
      what: 'one answer is kept',
    });
    const bytes = await metric(door, 'weir_stale_answers_bytes{upstream="shop/pay"} ');
    expect(bytes).toBeGreaterThan(500);
    expect(bytes).toBeLessThan(2000);
    status = 500;
    expect((await search()).headers['weir-fallback']).toBe('stale');
    const lines = await until(
      () => {
        const of = sidecar.logs.filter(({ msg, path }) => msg === 'request' && path === '/search/1');
        return of.length === 2 ? of : null;
      },
      { what: 'both are in the access log' },
    );
    expect(lines.map(({ route, fallback, status: answered }) => [route, fallback, answered])).toEqual([
      ['search', undefined, 200],
      ['search', 'stale', 200],
    ]);
  });
});
