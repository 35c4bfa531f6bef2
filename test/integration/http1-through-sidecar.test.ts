/**
 * HTTP/1.1 through a real sidecar: what curl and browsers speak, on the same port as HTTP/2.
 */
import http from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type RunningSidecar, startSidecar } from '../support/sidecar.ts';

let app: http.Server;
let appAddress: string;
let sidecar: RunningSidecar | undefined;

beforeEach(async () => {
  app = http.createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const seen = {
        method: request.method,
        url: request.url,
        host: request.headers.host,
        token: request.headers['weir-mesh-token'],
      };
      response.writeHead(200, { 'x-seen': JSON.stringify(seen), 'content-type': 'text/plain' });
      response.end(Buffer.concat(parts));
    });
  });
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  const { port }: AddressInfo = Object.assign({ address: '', family: '', port: 0 }, app.address());
  appAddress = `127.0.0.1:${port}`;
});

afterEach(async () => {
  await sidecar?.stop();
  app.closeAllConnections();
  await new Promise((resolve) => app.close(resolve));
});

test('a GET and a POST with a body pass, keep-alive and all', async () => {
  sidecar = await startSidecar({ argv: ['--app', appAddress] });
  const got = await fetch(`http://${sidecar.inbound}/some/path?q=1`);
  expect(got.status).toBe(200);
  expect(JSON.parse(got.headers.get('x-seen') ?? '')).toMatchObject({
    method: 'GET',
    url: '/some/path?q=1',
    host: sidecar.inbound,
  });
  const body = 'x'.repeat(300_000);
  const posted = await fetch(`http://${sidecar.inbound}/`, { method: 'POST', body });
  expect(await posted.text()).toBe(body);
});

test('an HTTP/2 caller reaches an app that only knows HTTP/1.1, if told so', async () => {
  sidecar = await startSidecar({ argv: ['--app', appAddress, '--app-protocol', 'http1'] });
  const session = http2.connect(`http://${sidecar.inbound}`);
  const stream = session.request({ ':path': '/h2', ':method': 'POST' });
  stream.end('from h2');
  const parts: Buffer[] = [];
  let status = 0;
  stream.on('response', (headers) => {
    status = headers[':status'] ?? 0;
  });
  stream.on('data', (part: Buffer) => parts.push(part));
  await new Promise((resolve) => stream.on('end', resolve));
  session.close();
  expect(status).toBe(200);
  expect(Buffer.concat(parts).toString()).toBe('from h2');
});

test('a refusal says when to come back and why', async () => {
  const policy =
    'apiVersion: weir.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: { name: app }\nspec:\n  target: { service: app }\n' +
    '  inbound: { rateLimits: [{ name: total, scope: perProxy, rate: 1/m, burst: 1 }] }\n';
  sidecar = await startSidecar({ argv: ['--app', appAddress], policy });
  expect((await fetch(`http://${sidecar.inbound}/`)).status).toBe(200);
  const refused = await fetch(`http://${sidecar.inbound}/`);
  expect(refused.status).toBe(429);
  expect(refused.headers.get('weir-reason')).toBe('rate_limit');
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(55);
  const metrics = await (await fetch(`http://${sidecar.metrics}/metrics`)).text();
  expect(metrics).toContain(
    'weir_requests_rejected_total{direction="inbound",upstream="default/app",reason="rate_limit"} 1',
  );
});

test('an app that is not there is a 503, and the sidecar stays ready', async () => {
  sidecar = await startSidecar({ argv: ['--app', '127.0.0.1:1'] });
  const answer = await fetch(`http://${sidecar.inbound}/`);
  expect(answer.status).toBe(503);
  expect(answer.headers.get('weir-reason')).toBe('upstream_connect');
  expect(answer.headers.get('retry-after')).toBe('1');
  expect((await fetch(`http://${sidecar.health}/readyz`)).status).toBe(200);
});

test('doors refuse what is not theirs: POST to health, browsers at admin, metrics without the token', async () => {
  sidecar = await startSidecar({ argv: ['--app', appAddress], metricsToken: 'secret' });
  expect((await fetch(`http://${sidecar.health}/healthz`, { method: 'POST' })).status).toBe(404);
  expect((await fetch(`http://${sidecar.admin}/config`, { headers: { origin: 'http://evil' } })).status).toBe(403);
  expect((await fetch(`http://${sidecar.admin}/drain`)).status).toBe(404);
  expect((await fetch(`http://${sidecar.metrics}/metrics`)).status).toBe(401);
  const allowed = await fetch(`http://${sidecar.metrics}/metrics`, { headers: { authorization: 'Bearer secret' } });
  expect(allowed.status).toBe(200);
});

test('a drain makes it unready and lets requests go on', async () => {
  sidecar = await startSidecar({ argv: ['--app', appAddress] });
  const drained = await fetch(`http://${sidecar.admin}/drain`, { method: 'POST' });
  expect(await drained.json()).toEqual({ drained: true, inFlight: 0 });
  expect((await fetch(`http://${sidecar.health}/readyz`)).status).toBe(503);
  expect((await fetch(`http://${sidecar.inbound}/`)).status).toBe(200);
});

test('with a mesh token nothing passes without it, and the app never sees it', async () => {
  sidecar = await startSidecar({
    argv: ['--app', appAddress, '--mesh-token-file', '/dev/null'],
    meshToken: 'mesh-secret',
  });
  const without = await fetch(`http://${sidecar.inbound}/`);
  expect(without.status).toBe(401);
  expect(without.headers.get('weir-reason')).toBe('unauthenticated');
  const wrong = await fetch(`http://${sidecar.inbound}/`, { headers: { 'weir-mesh-token': 'mesh-secreT' } });
  expect(wrong.status).toBe(401);
  const right = await fetch(`http://${sidecar.inbound}/`, { headers: { 'weir-mesh-token': 'mesh-secret' } });
  expect(right.status).toBe(200);
  expect(JSON.parse(right.headers.get('x-seen') ?? '').token).toBeUndefined();
});
