/**
 * What tests of policies through real sidecars begin with: an app, a plain request on a connection of its own, a policy, and
 * a number from the metrics. What was started ends with `release`, in reverse order.
 */
import http from 'node:http';
import http2 from 'node:http2';
import { type RunningSidecar, type SidecarSetup, startSidecar } from './sidecar.ts';

const cleanups: (() => unknown)[] = [];

/** For `afterEach`. */
export async function release(): Promise<void> {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}

/** Ends it with the test. */
export function later(cleanup: () => unknown): void {
  cleanups.push(cleanup);
}

export async function startWebApp(handler: http.RequestListener): Promise<string> {
  const app = http.createServer(handler);
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  later(() => {
    app.closeAllConnections();
    app.close();
  });
  const address = app.address();
  return `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
}

/** Over HTTP/2 with prior knowledge, as callers' sidecars speak to a service that was called so. */
export async function startHttp2App(statusOf: () => number): Promise<string> {
  const app = http2.createServer();
  const sessions = new Set<http2.ServerHttp2Session>();
  app.on('session', (session) => sessions.add(session));
  app.on('stream', (stream) => {
    stream.on('error', () => {});
    stream.respond({ ':status': statusOf() }, { endStream: true });
  });
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  later(() => {
    for (const session of sessions) session.destroy();
    app.close();
  });
  const address = app.address();
  return `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
}

/** A sidecar of shop/`name` that speaks HTTP/1.1 to its app. */
export async function startService(
  name: string,
  app: string,
  argv: readonly string[],
  setup: Omit<SidecarSetup, 'argv'> = {},
): Promise<RunningSidecar> {
  const own = ['--service', `shop/${name}`, '--app', app, '--app-protocol', 'http1'];
  const sidecar = await startSidecar({ ...setup, argv: [...own, ...argv] });
  later(() => sidecar.stop());
  return sidecar;
}

/** About shop/`service`; `spec` is indented by two. */
export function policyAbout(service: string, spec: string): string {
  return (
    `apiVersion: weir.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: { name: ${service}, namespace: shop }\n` +
    `spec:\n  target: { service: ${service} }\n${spec}`
  );
}

/** An app that calls another service through its sidecar, and answers what that one answered. */
export function callsOn(service: string, outbound: () => string, forwards: boolean): http.RequestListener {
  return (request, response) => {
    const trace = request.headers.traceparent;
    const headers = { host: service, ...(forwards && typeof trace === 'string' && { traceparent: trace }) };
    get(outbound(), '/', headers).then(
      ({ status, body }) => response.writeHead(status).end(body),
      () => response.writeHead(500).end(),
    );
  };
}

export interface Reply {
  readonly status: number;
  readonly body: string;
  readonly headers: http.IncomingHttpHeaders;
}

/** One request on a connection of its own. */
export function send(address: string, options: http.RequestOptions, body?: string): Promise<Reply> {
  const [host, port] = address.split(':');
  return new Promise((resolve, reject) => {
    const request = http.request({ host, port, agent: false, ...options }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text, headers: response.headers }));
    });
    request.on('error', reject);
    request.end(body);
  });
}

export function get(
  address: string,
  path: string,
  headers: http.OutgoingHttpHeaders = {},
  method = 'GET',
): Promise<Reply> {
  return send(address, { path, headers, method });
}

/** The value of the first line that begins so; 0 where there is none. */
export async function metric(door: string, line: string): Promise<number> {
  const text = await (await fetch(`http://${door}/metrics`)).text();
  const found = text.split('\n').find((one) => one.startsWith(line));
  return Number(found?.slice(found.lastIndexOf(' ')) ?? 0);
}
