/**
 * gRPC messages dropped for slow readers, with a real client and server of gRPC: the sender is never slowed down, what the
 * reader gets is whole and in order, the stream ends as it should, and operators see what was lost.
 */
import http2 from 'node:http2';
import type * as grpc from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from 'vitest';
import { type EchoService, echoClient, spreadChunks, startEcho } from '../support/echo-service.ts';
import { type RunningSidecar, startSidecar } from '../support/sidecar.ts';
import { until } from '../support/until.ts';

const kib = 1024;
const messageBytes = 8 * kib;
const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function echo(): Promise<EchoService> {
  const service = await startEcho();
  closers.push(() => service.stop());
  return service;
}

async function sidecarWith(spec: string, ...argv: string[]): Promise<RunningSidecar> {
  const sidecar = await startSidecar({
    argv: ['--service', 'shop/web', ...argv],
    policy: `
apiVersion: weir.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: web, namespace: shop }
spec: ${spec}
`,
  });
  closers.push(() => sidecar.stop());
  return sidecar;
}

interface Reading {
  readonly numbers: number[];
  status: grpc.StatusObject | null;
  readonly call: grpc.ClientReadableStream<{ data: Buffer }>;
}

/** Asks for 1,024 numbered messages, and reads only the first: until then grpc-js takes in whatever comes. */
function spread(address: string, authority?: string): Reading {
  const client = echoClient(address, authority);
  closers.push(() => client.close());
  const request = Buffer.alloc(4);
  request.writeUInt32BE(messageBytes, 0);
  const call = client.spread({ data: request });
  const reading: Reading = { numbers: [], status: null, call };
  call.on('error', () => {});
  call.on('status', (status) => {
    reading.status = status;
  });
  call.on('data', ({ data }) => {
    if (reading.numbers.length === 0) call.pause();
    expect(data.length).toBe(messageBytes);
    // Every byte behind the number says it again.
    const number = data.readUInt32BE(0);
    expect(data.subarray(4).every((byte: number) => byte === (number & 0xff))).toBe(true);
    reading.numbers.push(number);
  });
  return reading;
}

async function readOn(reading: Reading): Promise<void> {
  await until(() => reading.numbers.length === 1, { what: 'the first message, at which it pauses' });
  reading.call.resume();
  await until(() => reading.status !== null, { what: 'the stream ends' });
}

const metricsOf = async (sidecar: RunningSidecar): Promise<string> =>
  (await fetch(`http://${sidecar.metrics}/metrics`)).text();

async function metric(sidecar: RunningSidecar, name: string): Promise<number> {
  const line = (await metricsOf(sidecar)).split('\n').find((text) => text.startsWith(`${name} `));
  return line === undefined ? 0 : Number(line.slice(name.length + 1));
}

const dropped = (direction: string, cause: string, upstream = 'shop/web', name = 'dropped'): string =>
  `weir_messages_${name}_total{direction="${direction}",upstream="${upstream}",content="response",cause="${cause}"}`;

/** An app that speaks gRPC by hand: it takes the first message of a call and no more until it is told to. */
async function pausingApp(): Promise<{
  address: string;
  sizes: number[];
  readOn: () => void;
  isWaiting: () => boolean;
}> {
  let call: http2.ServerHttp2Stream | null = null;
  const chunks: Buffer[] = [];
  const sizes: number[] = [];
  const server = http2.createServer();
  server.on('stream', (stream) => {
    call = stream;
    stream.on('error', () => {});
    stream.on('data', (chunk: Buffer) => {
      if (chunks.length === 0) stream.pause();
      chunks.push(chunk);
    });
    stream.on('end', () => {
      const content = Buffer.concat(chunks);
      for (let at = 0; at < content.length; at += 5 + sizes.at(-1)!) sizes.push(content.readUInt32BE(at + 1));
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.alloc(5));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
  const at = server.address();
  const port = typeof at === 'object' && at !== null ? at.port : 0;
  return {
    address: `127.0.0.1:${port}`,
    sizes,
    readOn: () => call?.resume(),
    isWaiting: () => chunks.length > 0,
  };
}

describe('a slow reader of a stream of gRPC', () => {
  test('gets the newest messages, in order and whole, and its sender never waits', async () => {
    const service = await echo();
    const sidecar = await sidecarWith(
      '{ target: { service: web }, inbound: { flowControl: { responseOverflow: { dropOldest: { messagesMax: 50 } } } } }',
      '--app',
      service.address,
    );
    const reading = spread(sidecar.inbound);
    await until(() => service.state.spread === 1, { what: 'the sender has sent everything' });
    const streams = `http://${sidecar.admin}/streams`;
    const shown = await until(
      async () => {
        const all = (await (await fetch(streams)).json()) as { side: string; messagesDropped: number }[];
        return all.find(({ side, messagesDropped }) => side === 'downstream' && messagesDropped > 500);
      },
      { what: 'the stream stands there with what it lost' },
    );
    // 50 messages wait, one more and a window are on their way, in buffers that are at most as large again.
    const peak = await metric(sidecar, 'weir_flow_control_buffered_bytes_peak');
    expect(peak).toBeGreaterThan(50 * messageBytes);
    expect(peak).toBeLessThan(2 * (51 * messageBytes + 256 * kib));
    await readOn(reading);
    const { numbers, status } = reading;
    expect(status?.code).toBe(0);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    expect(numbers.slice(-50)).toEqual(Array.from({ length: 50 }, (_, i) => spreadChunks - 49 + i));
    expect(numbers.length).toBe(spreadChunks - shown.messagesDropped);
    expect(await metric(sidecar, dropped('inbound', 'oldest'))).toBe(shown.messagesDropped);
    await until(async () => (await metric(sidecar, 'weir_flow_control_buffered_bytes')) === 0, {
      what: 'nothing waits any more',
    });
  });

  test('gets the oldest where its caller’s side drops the newest', async () => {
    const service = await echo();
    const sidecar = await sidecarWith(
      '{ target: { service: app }, outbound: { flowControl: { responseOverflow: { dropNewest: { messagesMax: 10 } } } } }',
      '--endpoint',
      `shop/app=${service.address}`,
    );
    const reading = spread(sidecar.outbound, 'app.shop');
    await until(() => service.state.spread === 1, { what: 'the sender has sent everything' });
    const counter = dropped('outbound', 'newest', 'shop/app');
    await until(async () => (await metric(sidecar, counter)) > 500, { what: 'messages are dropped' });
    await readOn(reading);
    const { numbers, status } = reading;
    expect(status?.code).toBe(0);
    // What was there first: what came while little was taken has no place behind it.
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    expect(numbers.at(-1)).toBeLessThan(spreadChunks / 2);
    expect(numbers.length + (await metric(sidecar, counter))).toBe(spreadChunks);
  });

  test('loses nothing in shadow, where it is counted, and nothing that is critical', async () => {
    const flow = 'flowControl: { responseOverflow: { dropOldest: { messagesMax: 1 } } }';
    for (const [spec, counted] of [
      [`{ target: { service: web }, enforcement: shadow, inbound: { ${flow} } }`, true],
      [
        `{ target: { service: web }, inbound: { ${flow}, priorities: { rules: [{ match: { grpc: { service: weir.test.Echo } }, tier: critical }] } } }`,
        false,
      ],
    ] as const) {
      const service = await echo();
      const sidecar = await sidecarWith(spec, '--app', service.address);
      const reading = spread(sidecar.inbound);
      await until(async () => (await metric(sidecar, 'weir_flow_control_buffered_bytes')) > 0, { what: 'it stalls' });
      await readOn(reading);
      expect(reading.numbers.length).toBe(spreadChunks);
      expect(await metric(sidecar, dropped('inbound', 'oldest'))).toBe(0);
      const would = await metric(sidecar, dropped('inbound', 'oldest', 'shop/web', 'would_drop'));
      expect(would > 0).toBe(counted);
    }
  });

  test('may be the app: what its callers send is dropped, and they never wait', async () => {
    const app = await pausingApp();
    const sidecar = await sidecarWith(
      '{ target: { service: web }, inbound: { flowControl: { requestOverflow: { dropOldest: { messagesMax: 20 } } } } }',
      '--app',
      app.address,
    );
    const client = echoClient(sidecar.inbound);
    closers.push(() => client.close());
    const end = new Promise<grpc.ServiceError | null>((resolve) => {
      const call = client.collect((error) => resolve(error));
      let sent = 0;
      const more = (): void => {
        while (sent < 1000) {
          sent++;
          // Of growing size, so that sizes tell which arrived.
          if (!call.write({ data: Buffer.alloc(4000 + sent) })) return void call.once('drain', more);
        }
        call.end();
      };
      more();
    });
    await until(() => app.isWaiting(), { what: 'the app has the first' });
    const counter =
      'weir_messages_dropped_total{direction="inbound",upstream="shop/web",content="request",cause="oldest"}';
    await until(async () => (await metric(sidecar, counter)) > 900, { what: 'most of what comes is dropped' });
    app.readOn();
    expect(await end).toBeNull();
    const { sizes } = app;
    expect(sizes).toEqual([...new Set(sizes)].sort((a, b) => a - b));
    expect(sizes.length + (await metric(sidecar, counter))).toBe(1000);
    // The newest twenty are there, to the last.
    expect(sizes.at(-1)! - sizes.at(-20)!).toBe(19);
  });
});
