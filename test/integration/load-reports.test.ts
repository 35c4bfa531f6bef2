/**
 * Load reports (ORCA) end to end: written by the sidecar beside a service, where its app writes none, and read by the
 * sidecars of its callers, who balance by them.
 */
import type http from 'node:http';
import * as grpc from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from 'vitest';
import { decodeOrca, emptyReport, type OrcaReport, orcaField } from '../../sidecar/routing/orca.ts';
import { echoClient, startEcho } from '../support/echo-service.ts';
import { openLoop } from '../support/open-loop.ts';
import { startSidecar } from '../support/sidecar.ts';
import { until } from '../support/until.ts';
import { get, later, policyAbout, release, startService, startWebApp } from '../support/web.ts';

const meshToken = 'mesh-secret';
afterEach(release);

const reporting = (to: string, limit = 4): string =>
  policyAbout(
    'b',
    `  inbound: { concurrency: { fixed: { limit: ${limit} } }, signals: { orca: { to: ${to} } } }
  outbound: { loadBalancing: { algorithm: { orcaWeighted: { blackout: 0s } } } }
`,
  );

function read(text: unknown): OrcaReport | null {
  const report = emptyReport();
  return typeof text === 'string' && decodeOrca(text, report) ? report : null;
}

const answersIn =
  (ms: number, seen: { count: number }): http.RequestListener =>
  (_, response) => {
    seen.count++;
    setTimeout(() => response.end('ok'), ms);
  };

/** Asks until there is something to report of. */
async function loadOf(address: string, headers: http.OutgoingHttpHeaders = {}): Promise<unknown> {
  for (let i = 0; i < 12; i++) await get(address, '/', headers);
  return (await get(address, '/', headers)).headers[orcaField];
}

describe('a sidecar that reports load', () => {
  test('tells everybody, or the mesh, as the policy says', async () => {
    const app = await startWebApp(answersIn(20, { count: 0 }));
    const open = await startService('b', app, [], { policy: reporting('everybody') });
    const told = read(await loadOf(open.inbound));
    expect(told?.qps).toBeGreaterThan(5);
    expect(told?.inFlight).toBe(1);
    // One of four at a time, with pauses of ours between.
    expect(told?.applicationUtilization).toBeGreaterThan(0.05);
    expect(told?.applicationUtilization).toBeLessThan(0.5);

    const closed = await startService('b', app, [], { policy: reporting('mesh') });
    expect(await loadOf(closed.inbound)).toBeUndefined();
    const trusting = await startService('b', app, [], { policy: reporting('mesh'), meshToken });
    expect(read(await loadOf(trusting.inbound, { 'weir-mesh-token': meshToken }))).not.toBeNull();
  });

  test('leaves the word to an app that reports itself', async () => {
    const app = await startWebApp((_, response) => response.setHeader(orcaField, 'AAAA').end());
    const sidecar = await startService('b', app, [], { policy: reporting('everybody') });
    expect(await loadOf(sidecar.inbound)).toBe('AAAA');
  });

  test('tells callers of gRPC in the trailers, of a call that failed, too', async () => {
    const echo = await startEcho();
    later(() => echo.stop());
    const sidecar = await startSidecar({
      argv: ['--service', 'shop/b', '--app', echo.address],
      policy: reporting('everybody'),
    });
    later(() => sidecar.stop());
    const client = echoClient(sidecar.inbound);
    later(() => client.close());
    const call = (): Promise<grpc.StatusObject> =>
      new Promise((resolve) => {
        client
          .unary({ data: Buffer.from('x') }, new grpc.Metadata(), { deadline: Date.now() + 5000 }, () => {})
          .on('status', resolve);
      });
    const loadIn = ({ metadata }: grpc.StatusObject): OrcaReport | null => {
      const [value] = metadata.get(orcaField);
      return Buffer.isBuffer(value) ? read(value.toString('base64')) : null;
    };
    await until(async () => (loadIn(await call())?.qps ?? 0) > 5, { what: 'the trailers say so', intervalMs: 0 });
    echo.state.failing = true;
    const failed = await call();
    expect([failed.code, loadIn(failed) !== null]).toEqual([grpc.status.INTERNAL, true]);
  });
});

test('callers give endpoints the share that their sidecars say they can do', async () => {
  const [fast, slow] = [{ count: 0 }, { count: 0 }];
  const endpoints: string[] = [];
  for (const [ms, seen] of [
    [10, fast],
    [40, slow],
  ] as const) {
    const app = await startWebApp(answersIn(ms, seen));
    const sidecar = await startService('b', app, [], { policy: reporting('mesh'), meshToken });
    endpoints.push('--endpoint', `shop/b=${sidecar.inbound}`);
  }
  const caller = await startSidecar({
    argv: ['--service', 'shop/a', ...endpoints],
    policy: reporting('mesh'),
    meshToken,
  });
  later(() => caller.stop());
  const kindOf = () => ({ kind: 'any', headers: {} });
  const ask = (forMs: number) =>
    openLoop({ address: caller.outbound, authority: 'b.shop', perSecond: 100, forMs, kindOf });
  await ask(2500);
  const before = [fast.count, slow.count];
  await ask(1500);
  const [ofFast, ofSlow] = [fast.count - before[0]!, slow.count - before[1]!];
  // The one can do 400 a second and the other 100: four to one, and not one to one as without reports.
  expect(ofFast / (ofFast + ofSlow)).toBeGreaterThan(0.7);
  expect(ofSlow).toBeGreaterThan(5);
});
