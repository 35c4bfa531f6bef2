/**
 * What an HTTP/1.1 caller may cost: the size of a head, the time that it takes, content that stands still, content that
 * nobody wants. At each bound the caller is told why, and it is counted.
 */
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Reason } from '../../proto/reasons.ts';
import type { HttpStream } from '../../sidecar/exchange/http-stream.ts';
import { HeaderList } from '../../sidecar/http2/hpack/field.ts';
import { defaultLimits } from '../../sidecar/http2/limits.ts';
import { Http1Server } from '../../sidecar/io/http1-server.ts';
import { http1Rig, okAnswer } from '../support/http1-rig.ts';
import { RawClient, statusLines } from '../support/http1-wire.ts';
import { until } from '../support/until.ts';
import { Recorder } from '../support/wire.ts';

describe('a head', () => {
  const rig = http1Rig();
  beforeEach(() => rig.app.answers(okAnswer));

  const head = (fields: string): string => `GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;

  test.each([
    ['of 300 fields', head('X: y\r\n'.repeat(300))],
    ['of 100 KiB', head(`X: ${'y'.repeat(10_000)}\r\n`.repeat(10))],
    ['that is one line without end', `GET /${'a'.repeat(100_000)}`],
    ['with one field of more than 16 KiB', head(`X: ${'y'.repeat(17_000)}\r\n`)],
    ['of 64 KiB as HTTP/2 counts it', head(`X: ${'y'.repeat(400)}\r\n`.repeat(155))],
  ])('%s is refused with 431, and counted', async (_name, text) => {
    rig.client.send(text);
    const answer = await rig.client.readsAll();
    expect(statusLines(answer)).toEqual(['431']);
    expect(answer).toContain('weir-reason: headers_too_large\r\n');
    expect(rig.app.received).toBe('');
    const metrics = await (await fetch(`http://${rig.sidecar.metrics}/metrics`)).text();
    expect(metrics).toContain('reason="headers_too_large"} 1');
  });

  test('of 250 fields and 60 KiB passes', async () => {
    rig.client.send(head(`X: ${'y'.repeat(200)}\r\n`.repeat(250)));
    expect(statusLines(await rig.client.reads('\r\n\r\nok'))).toEqual(['200']);
  });

  test('in a thousand pieces passes', async () => {
    for (const char of head('X: y\r\n')) rig.client.send(char);
    expect(statusLines(await rig.client.reads('\r\n\r\nok'))).toEqual(['200']);
  });
});

describe('time', () => {
  let listener: net.Server;
  let server: Http1Server;
  let client: RawClient;
  let accepted: net.Socket | undefined;
  let stream: HttpStream | undefined;
  const recorder = new Recorder();
  const refused: number[] = [];

  beforeEach(async () => {
    refused.length = 0;
    accepted = undefined;
    stream = undefined;
    server = new Http1Server(defaultLimits, {
      onRequest: (request) => {
        request.handler = recorder;
        stream = request;
      },
      onRefused: (reason) => refused.push(reason),
    });
    listener = net.createServer((socket) => {
      accepted = socket;
      server.accept(socket);
    });
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const address = listener.address();
    client = new RawClient(`127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}`);
  });

  afterEach(() => {
    client.destroy();
    accepted?.destroy();
    listener.close();
  });

  /** The caller writes this, and the server has read it. */
  async function sends(text: string): Promise<void> {
    const before = accepted?.bytesRead ?? 0;
    client.send(text);
    await until(() => (accepted?.bytesRead ?? 0) >= before + text.length, { what: 'the bytes are read' });
  }

  test('a head that takes longer than 10 s is answered 408', async () => {
    await sends('GET / HTTP/1.1\r\nX: ');
    const nowMs = performance.now();
    server.sweep(nowMs);
    server.sweep(nowMs + 9_000);
    expect(refused).toEqual([]);
    server.sweep(nowMs + 10_001);
    const answer = await client.readsAll();
    expect(statusLines(answer)).toEqual(['408']);
    expect(answer).toContain('weir-reason: request_timeout\r\n');
    expect(refused).toEqual([Reason.requestTimeout]);
  });

  test('a connection that waits between requests is not late', async () => {
    await sends('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await until(() => stream, { what: 'the request arrives' });
    stream?.sendHeaders(HeaderList.of([[':status', '204']]), true);
    await client.reads('\r\n\r\n');
    const nowMs = performance.now();
    for (const laterMs of [0, 20_000, 40_000]) server.sweep(nowMs + laterMs);
    expect(refused).toEqual([]);
    // The next head has its own time.
    await sends('GET');
    server.sweep(nowMs + 50_000);
    server.sweep(nowMs + 60_001);
    expect(refused).toEqual([Reason.requestTimeout]);
  });

  test('content that stands still for 300 s is answered 408, and the request is over', async () => {
    await sends('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nsome');
    await until(() => recorder.content.toString() === 'some', { what: 'the content arrives' });
    const nowMs = performance.now();
    server.sweep(nowMs);
    server.sweep(nowMs + 300_001);
    expect(statusLines(await client.readsAll())).toEqual(['408']);
    expect(recorder.reset).not.toBeNull();
  });

  test('content that we do not take is not late, however long', async () => {
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n');
    client.send('x'.repeat(1_000_000));
    await until(() => recorder.owed >= 65_536, { what: 'a window of content arrives' });
    const nowMs = performance.now();
    server.sweep(nowMs);
    server.sweep(nowMs + 300_001);
    server.sweep(nowMs + 600_002);
    expect(refused).toEqual([]);
    expect(recorder.owed).toBeLessThan(2 * 65_536 + 1);
  });
});
