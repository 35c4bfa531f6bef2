/**
 * The policy's `flowControl` on real sockets: streams are paced and not refused, a reader that pauses is left alone until
 * its policy says otherwise, and operators see who waits.
 */
import http from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { echoClient, startEcho } from '../support/echo-service.ts';
import { type RunningSidecar, startSidecar } from '../support/sidecar.ts';
import { until } from '../support/until.ts';

const kib = 1024;
const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function sidecarFor(app: string, flowControl: string, ...argv: string[]): Promise<RunningSidecar> {
  const sidecar = await startSidecar({
    argv: ['--service', 'shop/app', '--app', app, ...argv],
    policy: `
apiVersion: weir.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: app, namespace: shop }
spec:
  target: { service: app }
  inbound:
    flowControl: ${flowControl}
`,
  });
  closers.push(() => sidecar.stop());
  return sidecar;
}

/** Answers every request with so many bytes, as fast as they are taken. */
async function http1App(bytes: number): Promise<string> {
  const server = http.createServer((_, response) => response.end(Buffer.alloc(bytes, 'x')));
  return listen(server);
}

/** The same over HTTP/2; `state.reset` is the code by which a stream was ended early. */
async function http2App(bytes: number, state: { reset?: number }): Promise<string> {
  const server = http2.createServer();
  server.on('stream', (stream) => {
    stream.on('error', () => {});
    stream.on('close', () => {
      state.reset = stream.rstCode;
    });
    stream.respond({ ':status': 200 });
    stream.end(Buffer.alloc(bytes, 'x'));
  });
  return listen(server);
}

async function listen(server: http.Server | http2.Http2Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function connect(sidecar: RunningSidecar): http2.ClientHttp2Session {
  const session = http2.connect(`http://${sidecar.inbound}`);
  session.on('error', () => {});
  closers.push(() => session.destroy());
  return session;
}

const json = async (url: string): Promise<unknown> => (await fetch(url)).json();

describe('a pace', () => {
  test('of bytes holds for an HTTP/1.1 download, which arrives whole', async () => {
    const sidecar = await sidecarFor(await http1App(300 * kib), '{ responsePace: { bytesPerSecond: 600KiB } }');
    const startedMs = performance.now();
    let received = 0;
    let worst = 0;
    const response = await fetch(`http://${sidecar.inbound}/`);
    for await (const chunk of response.body ?? []) {
      received += chunk.length;
      const elapsedMs = performance.now() - startedMs;
      worst = Math.max(worst, received - (600 * kib * (elapsedMs + 50)) / 1000);
    }
    expect(received).toBe(300 * kib);
    expect(worst).toBeLessThanOrEqual(16 * kib);
    expect(performance.now() - startedMs).toBeGreaterThan(400);
  });

  test('of messages holds for a gRPC stream', async () => {
    const echo = await startEcho();
    closers.push(() => echo.stop());
    const sidecar = await sidecarFor(echo.address, '{ responsePace: { messages: 100/s } }');
    const client = echoClient(sidecar.inbound);
    closers.push(() => client.close());
    const request = Buffer.alloc(4);
    request.writeUInt32BE(10, 0);
    const call = client.spread({ data: request });
    call.on('error', () => {});
    let count = 0;
    let startedMs = 0;
    let worst = 0;
    call.on('data', () => {
      count++;
      startedMs ||= performance.now();
      // 100 a second, the first at once, 20 ms of lateness forgiven; a reader's own delay can only bunch them later.
      worst = Math.max(worst, count - ((performance.now() - startedMs + 20) / 10 + 1));
    });
    await until(() => count >= 40, { what: 'forty messages' });
    expect(performance.now() - startedMs).toBeGreaterThan(350);
    call.cancel();
    expect(worst).toBeLessThan(4);
  });

  test('of an upload slows its sender down', async () => {
    const received: number[] = [];
    const server = http.createServer((request, response) => {
      request.on('data', (chunk: Buffer) => received.push(chunk.length));
      request.on('end', () => response.end('ok'));
    });
    const sidecar = await sidecarFor(await listen(server), '{ requestPace: { bytesPerSecond: 1MiB } }');
    const startedMs = performance.now();
    const response = await fetch(`http://${sidecar.inbound}/`, { method: 'POST', body: Buffer.alloc(400 * kib) });
    expect(await response.text()).toBe('ok');
    expect(received.reduce((a, b) => a + b)).toBe(400 * kib);
    expect(performance.now() - startedMs).toBeGreaterThan(300);
  });
});

describe('a reader that pauses', () => {
  test('keeps its stream, is seen in /streams, and gets the rest when it goes on', async () => {
    const sidecar = await sidecarFor(await http2App(kib * kib, {}), '{ windowMax: 64KiB }', '--app-protocol', 'http2');
    const stream = connect(sidecar).request({ ':path': '/' });
    const shown = await until(
      async () => {
        const streams = (await json(`http://${sidecar.admin}/streams`)) as { isStalled: boolean; side: string }[];
        return streams.find(({ isStalled }) => isStalled);
      },
      { what: 'the stream stands there as stalled' },
    );
    expect(shown).toMatchObject({ side: 'downstream', stream: 1, sendWindow: 0 });
    const metrics = await (await fetch(`http://${sidecar.metrics}/metrics`)).text();
    expect(metrics).toMatch(/^weir_flow_control_buffered_bytes [1-9]/m);
    let received = 0;
    stream.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    await new Promise((resolve) => stream.on('end', resolve));
    expect(received).toBe(kib * kib);
    await until(
      async () => (await (await fetch(`http://${sidecar.metrics}/metrics`)).text()).includes('_buffered_bytes 0'),
      { what: 'nothing waits any more' },
    );
  });

  test('loses it after the stall timeout; the app hears of it and the reason is counted', async () => {
    const state: { reset?: number } = {};
    const sidecar = await sidecarFor(
      await http2App(kib * kib, state),
      '{ stallTimeout: 300ms }',
      '--app-protocol',
      'http2',
    );
    const startedMs = performance.now();
    const stream = connect(sidecar).request({ ':path': '/' });
    stream.on('error', () => {});
    await until(() => stream.rstCode === http2.constants.NGHTTP2_ENHANCE_YOUR_CALM, { what: 'the stream is reset' });
    expect(performance.now() - startedMs).toBeGreaterThan(290);
    await until(() => state.reset === http2.constants.NGHTTP2_CANCEL, { what: 'the app’s stream is cancelled' });
    const metrics = await (await fetch(`http://${sidecar.metrics}/metrics`)).text();
    expect(metrics).toContain('weir_flow_control_ended_total{what="stream",cause="stall"} 1');
    expect(metrics).toMatch(/weir_requests_rejected_total\{[^}]*reason="flow_control"\} 1/);
  });
});
