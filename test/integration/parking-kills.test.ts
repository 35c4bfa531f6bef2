/**
 * Nothing that a caller was told is parked gets lost, whoever is killed: sidecars, control plane and nats-server as
 * processes, each ended with SIGKILL while requests are parked and delivered, and started again.
 */
import { randomInt } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { startCountingApp } from '../support/mesh-of-two.ts';
import { startNatsServer } from '../support/nats-server.ts';
import { startWeir, text, type WeirProcess } from '../support/process.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { send } from '../support/web.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const policy = `
apiVersion: weir.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: pay, namespace: shop }
spec:
  target: { service: pay }
  outbound: { parking: { idempotent: { httpMethods: [POST] }, maxDeliveries: 100, backoff: { base: 100ms, max: 1s } } }
`;
const doors = ['inbound', 'outbound', 'health', 'metrics', 'admin'].flatMap((door) => [`--${door}`, '127.0.0.1:0']);
const loadersAtOnce = 4;

it('every request that was acknowledged as parked is delivered, through kills of every part', async () => {
  const nats = await startNatsServer();
  const app = await startCountingApp();
  app.answer = async () => {
    await new Promise((resolve) => setTimeout(resolve, randomInt(20)));
    // Some fail, so that some wait for another delivery when a part is killed.
    return randomInt(10) === 0 ? 503 : 200;
  };
  const policyFile = join(tempDir('policy').path, 'pay.yaml');
  writeFileSync(policyFile, policy);
  const sidecar = (...more: string[]) =>
    startWeir(['sidecar', ...doors, '--nats', nats.url, '--policy', policyFile, ...more]);
  const starts = {
    control: () => startWeir(['control-plane', '--listen', '127.0.0.1:0', '--nats', nats.url]),
    // Nobody is at that address: every request is parked, and what the app sees comes from the queue.
    caller: () => sidecar('--service', 'shop/caller', '--endpoint', 'shop/pay=127.0.0.1:1'),
    callee: () => sidecar('--service', 'shop/pay', '--app', app.address),
  };
  const [control, caller, callee] = await Promise.all([starts.control(), starts.caller(), starts.callee()]);
  const running: Record<keyof typeof starts, WeirProcess> = { control, caller, callee };
  cleanups.push(async () => {
    await Promise.all(Object.values(running).map((one) => one.kill9()));
    await nats.stop();
    await app.stop();
  });

  const parked = new Set<string>();
  let isOver = false;
  let sent = 0;
  const load = async (): Promise<void> => {
    while (!isOver) {
      sent++;
      const body = `request ${sent}`;
      try {
        const request = { method: 'POST', path: '/pay', headers: { host: 'pay' } };
        const { status } = await send(text(running.caller.listening, 'outbound'), request, body);
        if (status === 202) parked.add(body);
      } catch {
        // The caller's sidecar is dead just now.
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const loads = Array.from({ length: loadersAtOnce }, load);
  const more = (what: string): Promise<unknown> => {
    const before = parked.size;
    return until(() => parked.size >= before + 30, { what: `requests are parked ${what}`, timeoutMs: 20_000 });
  };
  await more('at first');
  for (const part of ['callee', 'caller', 'control'] as const) {
    await running[part].kill9();
    running[part] = await starts[part]();
    await more(`after ${part} was killed`);
  }
  await nats.kill9();
  await nats.restart();
  await more('after nats-server was killed');
  isOver = true;
  await Promise.all(loads);

  const delivered = (): Set<string> => new Set(app.seen.map(({ body }) => body));
  const lost = (): string[] => [...parked].filter((body) => !delivered().has(body));
  await until(() => lost().length === 0, { what: 'all are delivered', timeoutMs: 30_000 }).catch(() => undefined);
  expect(lost()).toEqual([]);
  console.log(`parked ${parked.size} of ${sent}, delivered ${delivered().size}, in ${app.seen.length} deliveries`);
}, 90_000);
