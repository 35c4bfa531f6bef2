/** What an open breaker costs the caller's sidecar: next to nothing, however many calls are refused. */
import { writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { startWeir, text } from '../support/process.ts';
import { tempDir } from '../support/temp-dir.ts';
import { later, metric, policyAbout, release, startHttp2App } from '../support/web.ts';

afterEach(release);

const atOnce = 100;

/** So many calls, `atOnce` under way; the reasons and how often each came. */
async function calls(session: http2.ClientHttp2Session, count: number): Promise<Map<string, number>> {
  const reasons = new Map<string, number>();
  let left = count;
  const one = (): Promise<void> =>
    new Promise((resolve) => {
      const stream = session.request({ ':path': '/', ':authority': 'b.shop' });
      stream.on('response', (fields) => {
        const reason = String(fields['weir-reason'] ?? fields[':status']);
        reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      });
      stream.on('error', () => {});
      stream.on('close', resolve);
      stream.resume();
    });
  const caller = async (): Promise<void> => {
    while (left-- > 0) await one();
  };
  await Promise.all(Array.from({ length: atOnce }, caller));
  return reasons;
}

test('while a breaker is open, memory and requests in flight stay flat over 10,000 calls', async () => {
  let reached = 0;
  const service = await startHttp2App(() => {
    reached++;
    return 500;
  });
  const file = join(tempDir('flat').path, 'policy.yaml');
  writeFileSync(file, policyAbout('b', '  outbound: { circuitBreaker: { openFor: 10m, openForMax: 10m } }\n'));
  const ephemeral = ['outbound', 'health', 'metrics', 'admin'].flatMap((door) => [`--${door}`, '127.0.0.1:0']);
  const caller = await startWeir([
    ...['sidecar', '--service', 'shop/a', '--endpoint', `shop/b=${service}`, '--policy', file],
    ...['--log-format', 'json', ...ephemeral],
  ]);
  later(() => caller.stop());
  const door = text(caller.listening, 'metrics');
  const rss = (): Promise<number> => metric(door, 'weir_process_resident_memory_bytes ');
  const session = http2.connect(`http://${text(caller.listening, 'outbound')}`);
  later(() => session.destroy());
  // The breaker opens, and what is compiled and pooled once is there.
  await calls(session, 2000);
  const [reachedBefore, rssBefore] = [reached, await rss()];

  const inFlight: number[] = [];
  const sampler = setInterval(async () => {
    inFlight.push(await metric(door, 'weir_inflight_requests{direction="outbound",upstream="shop/b"} '));
  }, 50);
  const reasons = await calls(session, 10_000);
  clearInterval(sampler);

  expect([...reasons]).toEqual([['breaker_open', 10_000]]);
  expect(reached).toBe(reachedBefore);
  expect(reachedBefore).toBeLessThanOrEqual(atOnce);
  expect(inFlight.length).toBeGreaterThan(1);
  // A refusal is over before the loop turns.
  expect(Math.max(...inFlight)).toBe(0);
  const grownMib = ((await rss()) - rssBefore) / 2 ** 20;
  expect(grownMib).toBeLessThan(16);
});
