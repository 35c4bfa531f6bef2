/**
 * Places at an HTTP/1.1 endpoint: so many at a time, so many that wait, the rest refused; who gives up leaves nothing.
 * Nothing here opens a socket, since nobody sends a request.
 */
import { expect, test } from 'vitest';
import { Reason } from '../../../proto/reasons.ts';
import type { UpstreamConnection, UpstreamWaiter } from '../../../sidecar/exchange/http-stream.ts';
import { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import { defaultLimits } from '../../../sidecar/http2/limits.ts';
import { socketsPerEndpointMax, waitersPerEndpointMax } from '../../../sidecar/io/http1-limits.ts';
import { Http1Upstream } from '../../../sidecar/io/http1-upstream.ts';
import { until } from '../../support/until.ts';
import { Recorder } from '../../support/wire.ts';

class Waiter implements UpstreamWaiter {
  connection: UpstreamConnection | null = null;
  reason = 0;

  onConnection(connection: UpstreamConnection): void {
    this.connection = connection;
  }

  onConnectFailed(reason: number): void {
    this.reason = reason;
  }
}

/** A request that is refused before it needs a socket, so that its place comes back. */
const unspeakable = HeaderList.of([
  [':method', 'get'],
  [':scheme', 'http'],
  [':authority', 'a'],
  [':path', '/'],
]);

test('Http1Upstream gives places, lets wait, refuses, and serves the waiting in their order', async () => {
  const upstream = new Http1Upstream(defaultLimits);
  const ask = (): Waiter => {
    const waiter = new Waiter();
    upstream.connect('127.0.0.1:1', 1000, waiter);
    return waiter;
  };
  const first = Array.from({ length: socketsPerEndpointMax }, ask);
  expect(first.every(({ connection }) => connection !== null)).toBe(true);
  const waiting = Array.from({ length: waitersPerEndpointMax }, ask);
  expect(waiting.every(({ connection, reason }) => connection === null && reason === 0)).toBe(true);
  expect(ask().reason).toBe(Reason.queueFull);
  upstream.cancel('127.0.0.1:1', waiting[0]!);
  const recorder = new Recorder();
  first[0]!.connection!.request(unspeakable, true, recorder);
  await until(() => recorder.ended === 1, { what: 'an answer' });
  expect(recorder.heads[0]!.status).toBe(400);
  expect(waiting[0]!.connection).toBeNull();
  expect(waiting[1]!.connection).not.toBeNull();
  expect(waiting[2]!.connection).toBeNull();
  upstream.close();
});
