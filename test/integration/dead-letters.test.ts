/** Dead letters through the API and the command, over a real nats-server: looked at, sent again at a rate, thrown away. */
import { headers } from 'nats';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { encodeParked, parkedHeader } from '../../proto/parked.ts';
import {
  type CountingApp,
  type MeshOfTwo,
  metricsOf,
  startCountingApp,
  startMeshOfTwo,
} from '../support/mesh-of-two.ts';
import { parkedRequest } from '../support/parked-request.ts';
import { runWeir } from '../support/process.ts';
import { until } from '../support/until.ts';

const policy = `
apiVersion: weir.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: pay, namespace: shop }
spec:
  target: { service: pay }
  outbound: { parking: { idempotent: { httpMethods: [POST] } } }
`;
const death = {
  reason: 'unprocessable',
  answer: 'http 422',
  deliveries: 1,
  atMs: Date.now() - 60_000,
  instance: 'pay-0',
};

let app: CountingApp;
let mesh: MeshOfTwo;
beforeAll(async () => {
  app = await startCountingApp();
  mesh = await startMeshOfTwo({ app: app.address, policy });
});
beforeEach(async () => {
  for (const stream of ['WEIR_RETRY', 'WEIR_DLQ']) await mesh.streams.streams.purge(stream);
  app.seen.length = 0;
  app.answer = () => 200;
});
afterAll(async () => {
  await mesh.stop();
  await app.stop();
});

/** Answers the number of the first. */
async function bury(count: number, service = 'pay', header?: string): Promise<number> {
  let first = 0;
  for (let i = 1; i <= count; i++) {
    const fields = headers();
    const parked = { ...parkedRequest, target: `shop/${service}`, reference: `r-${i}`, death };
    fields.set(parkedHeader, header ?? encodeParked(parked));
    const { seq } = await mesh.client.jetstream().publish(`weir.dlq.shop.${service}`, `body ${i}`, { headers: fields });
    if (i === 1) first = seq;
  }
  return first;
}

const weir = (...args: string[]) => runWeir([...args, '--server', mesh.control.url]);

describe('dead letters', () => {
  it('are listed by pages and by service, counted, shown with their bodies, and exported', async () => {
    const first = await bury(3);
    await bury(1, 'other');
    const page = await mesh.control.ask('GET', '/v1/dead-letters?service=shop/pay&limit=2');
    expect(page.body).toMatchObject({
      items: [
        { sequence: first, reference: 'r-1', reason: 'unprocessable', answer: 'http 422', bytes: 6 },
        { sequence: first + 1 },
      ],
      continue: String(first + 2),
    });
    const rest = await mesh.control.ask('GET', `/v1/dead-letters?service=shop/pay&limit=2&continue=${first + 2}`);
    expect(rest.body).toEqual({ items: [expect.objectContaining({ sequence: first + 2 })] });
    const counts = await mesh.control.ask('GET', '/v1/dead-letter-counts');
    expect(counts.body).toEqual({ services: { 'shop/other': 1, 'shop/pay': 3 } });
    const shown = await mesh.control.ask('GET', `/v1/dead-letters/${first + 1}`);
    expect(shown.body).toMatchObject({
      body: Buffer.from('body 2').toString('base64'),
      isTruncated: false,
      headers: [{ name: 'idempotency-key', value: 'k-0' }],
    });
    const session = await mesh.control.ask('GET', `/v1/dead-letters/${first + 1}`, {
      headers: { cookie: 'weir_session=x' },
    });
    expect([session.status, (await mesh.control.ask('GET', '/v1/dead-letters/9999')).status]).toEqual([403, 404]);
    expect((await mesh.control.ask('GET', '/v1/dead-letters?service=nonsense')).status).toBe(400);
    const listed = await weir('dlq', 'ls', 'shop/pay');
    expect(listed.stdout).toMatch(
      /NUMBER +SERVICE +DIED +REASON.*\n[0-9]+ +shop\/pay +[0-9]+s ago +unprocessable +http 422 +1 +POST \/pay\n/,
    );
    const exported = await weir('dlq', 'export');
    const lines = exported.stdout.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line).target)).toEqual([...Array(3).fill('shop/pay'), 'shop/other']);
    expect((await weir('dlq', 'show', String(first), '-o', 'json')).stdout).toContain(
      Buffer.from('body 1').toString('base64'),
    );
  });

  it('are sent again at a rate, one or all of a service, and delivered once; what cannot be read stays', async () => {
    await bury(1, 'pay', 'nonsense');
    const first = await bury(6);
    const one = await weir('dlq', 'redrive', String(first));
    expect(one).toMatchObject({ code: 0, stdout: `dead letter ${first} is parked again\n` });
    const startedMs = performance.now();
    const all = await weir('dlq', 'redrive', 'shop/pay', '--rate', '5');
    expect(all).toMatchObject({
      code: 0,
      stdout: '5 dead letters of shop/pay are parked again, 1 cannot be read and stay\n',
    });
    // The first goes at once, four more at 5/s.
    expect(performance.now() - startedMs).toBeGreaterThan(800);
    await until(() => app.seen.length === 6, { what: 'all are delivered' });
    // Several are on their way at once, so their order is not promised.
    expect(app.seen.map(({ body }) => body).sort()).toEqual([1, 2, 3, 4, 5, 6].map((i) => `body ${i}`));
    expect([await mesh.stored('WEIR_RETRY'), await mesh.stored('WEIR_DLQ')]).toEqual([0, 1]);
    await bury(3);
    const again = await mesh.control.ask('POST', '/v1/redrives/shop/pay?rate=0.1');
    const twice = await mesh.control.ask('POST', '/v1/redrives/shop/pay?rate=0.1');
    const stopped = await mesh.control.ask('DELETE', '/v1/redrives/shop/pay');
    expect([again.status, twice.status, stopped.body]).toEqual([
      202,
      409,
      expect.objectContaining({ state: 'stopped' }),
    ]);
  });

  it('that die again while they are sent again are left alone, so that it ends', async () => {
    app.answer = () => 422;
    await bury(4);
    expect((await weir('dlq', 'redrive', 'shop/pay', '--rate', '100')).stdout).toContain('4 dead letters');
    await until(async () => (await mesh.stored('WEIR_DLQ')) === 4, { what: 'they are dead again' });
    expect(app.seen.length).toBe(4);
  });

  it('are thrown away one by one, or all of a service, and their number can be watched', async () => {
    const first = await bury(3);
    await bury(1, 'other');
    await until(async () => /weir_dlq_messages\{service="shop\/pay"\} 3/.test(await metricsOf(mesh.callee)), {
      what: 'their number is a metric',
      timeoutMs: 10_000,
    });
    expect((await weir('dlq', 'discard', String(first + 1))).stdout).toBe('1 dead letter discarded\n');
    expect((await weir('dlq', 'discard', String(first + 1))).code).toBe(1);
    expect((await weir('dlq', 'discard', 'shop/pay', '--all')).stdout).toBe('2 dead letters discarded\n');
    expect(await mesh.stored('WEIR_DLQ')).toBe(1);
    expect((await weir('dlq', 'nonsense')).code).toBe(2);
  });
});
