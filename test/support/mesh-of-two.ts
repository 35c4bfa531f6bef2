/**
 * A caller's sidecar and a service's, with a control plane and a real nats-server, all but the server in this process:
 * what takes both sides of a hop and NATS to be shown.
 */

import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect, type JetStreamManager, type NatsConnection } from 'nats';
import { startTestControlPlane, type TestControlPlane } from './control-plane.ts';
import { startNatsServer, type TestNatsServer } from './nats-server.ts';
import { type RunningSidecar, startSidecar } from './sidecar.ts';
import { until } from './until.ts';
import { type Reply, send } from './web.ts';

export interface SeenRequest {
  readonly path: string;
  readonly body: string;
  readonly headers: http.IncomingHttpHeaders;
}

export interface CountingApp {
  readonly address: string;
  /** Every request, in the order in which it was whole. */
  readonly seen: SeenRequest[];
  /** The status for each; 0 = it breaks off without an answer. */
  answer: (request: SeenRequest) => number | Promise<number>;
  stop(): Promise<void>;
}

/** HTTP/1.1, on a port that may be given so that it comes back where it was. */
export async function startCountingApp(port = 0): Promise<CountingApp> {
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => {});
    request.on('end', async () => {
      const one = { path: request.url ?? '', body: Buffer.concat(chunks).toString(), headers: request.headers };
      app.seen.push(one);
      const status = await app.answer(one);
      if (status === 0) return request.socket.destroy();
      response.writeHead(status);
      response.end('ok');
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const address = server.address();
  const app: CountingApp = {
    address: `127.0.0.1:${isPlaced(address) ? address.port : 0}`,
    seen: [],
    answer: () => 200,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return app;
}

function isPlaced(address: string | AddressInfo | null): address is AddressInfo {
  return typeof address === 'object' && address !== null;
}

export interface MeshOfTwo {
  readonly nats: TestNatsServer;
  readonly control: TestControlPlane;
  readonly caller: RunningSidecar;
  readonly callee: RunningSidecar;
  readonly client: NatsConnection;
  readonly streams: JetStreamManager;
  post(body: string, headers?: http.OutgoingHttpHeaders): Promise<Reply>;
  /** How many messages are in a stream. */
  stored(stream: string): Promise<number>;
  stop(): Promise<void>;
}

export interface MeshOfTwoSetup {
  readonly app: string;
  /** Of the service, `shop/pay`. */
  readonly policy: string;
  readonly calleeArgv?: readonly string[];
  readonly callerArgv?: readonly string[];
}

export async function startMeshOfTwo(setup: MeshOfTwoSetup): Promise<MeshOfTwo> {
  const nats = await startNatsServer();
  const control = await startTestControlPlane(nats.url);
  await control.isReady();
  const client = await connect({ servers: nats.url });
  const streams = await client.jetstreamManager();
  await until(async () => (await streams.streams.info('WEIR_DLQ')).config.name, { what: 'the streams are there' });
  const { policy } = setup;
  const common = ['--nats', nats.url];
  const callee = await startSidecar({
    argv: ['--service', 'shop/pay', '--app', setup.app, ...common, ...(setup.calleeArgv ?? [])],
    policy,
  });
  const caller = await startSidecar({
    argv: [
      ...['--service', 'shop/caller', '--endpoint', `shop/pay=${callee.inbound}`],
      ...common,
      ...(setup.callerArgv ?? []),
    ],
    policy,
  });
  await until(async () => /weir_control_plane_connected 1/.test(await metricsOf(caller)), {
    what: 'the caller is connected',
  });
  return {
    nats,
    control,
    caller,
    callee,
    client,
    streams,
    post: (body, headers = {}) =>
      send(caller.outbound, { method: 'POST', path: '/pay', headers: { host: 'pay', ...headers } }, body),
    stored: async (stream) => (await streams.streams.info(stream)).state.messages,
    async stop() {
      await client.close();
      await caller.stop();
      await callee.stop();
      await control.close();
      await nats.stop();
    },
  };
}

export async function metricsOf(sidecar: RunningSidecar, pattern = /./): Promise<string> {
  const { body } = await send(sidecar.metrics, { path: '/metrics' });
  return body
    .split('\n')
    .filter((line) => pattern.test(line))
    .join('\n');
}
