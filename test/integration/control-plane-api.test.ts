/** The doors of the control plane: who may ask, from where, what a browser may do, and how much anybody can take. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect as connectSocket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestControlPlane, type TestControlPlane, watchFleet } from '../support/control-plane.ts';
import { startNatsServer, type TestNatsServer } from '../support/nats-server.ts';
import { lintOpenApi } from '../support/openapi-lint.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

const token = 'a-token-of-the-test';
const bearer = { authorization: `Bearer ${token}` };

let nats: TestNatsServer;
let open: TestControlPlane;
let locked: TestControlPlane;

beforeAll(async () => {
  nats = await startNatsServer();
  const dashboardFolder = tempDir('dashboard').path;
  mkdirSync(`${dashboardFolder}/assets`);
  writeFileSync(`${dashboardFolder}/index.html`, '<!doctype html><title>Weir</title>');
  writeFileSync(`${dashboardFolder}/assets/main-abc.js`, 'export {};');
  open = await startTestControlPlane(nats.url, { dashboardFolder });
  locked = await startTestControlPlane(nats.url, { apiToken: token, argv: ['--id', 'cp-1'] });
  await Promise.all([open.isReady(), locked.isReady()]);
});

afterAll(async () => {
  await Promise.all([open.close(), locked.close()]);
  await nats.stop();
});

/** fetch sets Host itself, so this speaks HTTP more plainly. */
function statusWith(url: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(`${url}/v1/policies`, { headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on('error', reject);
    sent.end();
  });
}

describe('who may ask', () => {
  it('on loopback without a token: whoever uses a loopback name, and no other site', async () => {
    const { host } = new URL(open.url);
    expect(await statusWith(open.url, {})).toBe(200);
    expect(await statusWith(open.url, { host: host.replace('127.0.0.1', 'localhost') })).toBe(200);
    expect(await statusWith(open.url, { host: 'rebound.example:80' })).toBe(403);
    expect(await statusWith(open.url, { origin: `http://${host}` })).toBe(200);
    expect(await statusWith(open.url, { origin: 'http://evil.example' })).toBe(403);
    expect(await statusWith(open.url, { origin: 'null' })).toBe(403);
  });

  it('with a token: who brings it, except for the probes', async () => {
    for (const path of [
      '/v1/policies',
      '/v1/rollouts',
      '/v1/instances',
      '/v1/services',
      '/v1/version',
      '/v1/events',
      '/openapi.json',
    ]) {
      const answer = await locked.ask('GET', path);
      expect([path, answer.status, answer.headers.get('www-authenticate')]).toEqual([path, 401, 'Bearer realm="weir"']);
    }
    expect((await locked.ask('GET', '/v1/policies', { headers: { authorization: `Bearer ${token}x` } })).status).toBe(
      401,
    );
    expect((await locked.ask('GET', '/v1/policies', { headers: bearer })).status).toBe(200);
    for (const path of ['/healthz', '/readyz']) expect((await locked.ask('GET', path)).status).toBe(200);
  });

  it('a browser exchanges the token for a cookie that reads and never writes', async () => {
    expect((await locked.ask('POST', '/v1/session')).status).toBe(401);
    const session = await locked.ask('POST', '/v1/session', { headers: bearer });
    expect(session.status).toBe(204);
    const set = session.headers.get('set-cookie') ?? '';
    expect(set).toMatch(/^weir_session=[0-9a-f]{64}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/);
    const cookie = { cookie: `a=b; ${set.split(';', 1)[0]}` };
    expect((await locked.ask('GET', '/v1/services', { headers: cookie })).status).toBe(200);
    const events = await watchFleet(locked.url, cookie);
    await until(() => events.snapshots.length > 0, { what: 'the cookie opens the stream' });
    await events.close();
    expect((await locked.ask('POST', '/v1/namespaces/shop/policies', { body: {}, headers: cookie })).status).toBe(403);
    expect(
      (await locked.ask('GET', '/v1/services', { headers: { cookie: `weir_session=${'0'.repeat(64)}` } })).status,
    ).toBe(401);
  });
});

describe('the dashboard files', () => {
  it('are served with validators, hashed ones for ever, and nothing beside them', async () => {
    const page = await open.ask('GET', '/');
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toContain('text/html');
    expect(page.headers.get('cache-control')).toBe('no-cache');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'self'");
    const etag = page.headers.get('etag') ?? '';
    expect((await open.ask('GET', '/', { headers: { 'if-none-match': etag } })).status).toBe(304);
    expect((await open.ask('GET', '/assets/main-abc.js')).headers.get('cache-control')).toContain('immutable');
    for (const path of [
      '/assets/',
      '/..%2f..%2fetc/passwd',
      '/assets/../../package.json',
      '/%2e%2e/package.json',
      '/nothing',
    ]) {
      expect([path, (await open.ask('GET', path)).status]).toEqual([path, 404]);
    }
  });

  it('say how to build them when they are missing, to everybody', async () => {
    const answer = await locked.ask('GET', '/');
    expect(answer.status).toBe(200);
    expect(answer.body).toContain('npm run build');
  });
});

describe('what anybody can take', () => {
  it('is bounded for watchers: one more than the bound is refused, and who leaves makes room', async () => {
    const watching = await Promise.all(Array.from({ length: 256 }, () => watchFleet(open.url)));
    expect(watching.every(({ status }) => status === 200)).toBe(true);
    expect((await open.ask('GET', '/v1/events')).status).toBe(503);
    await Promise.all(watching.map((each) => each.close()));
    await until(
      async () => {
        const one = await watchFleet(open.url);
        await one.close();
        return one.status === 200;
      },
      { what: 'there is room again' },
    );
  });

  it('ends requests that are no HTTP', async () => {
    const { port } = new URL(open.url);
    const answer = await new Promise<string>((resolve, reject) => {
      let text = '';
      const socket = connectSocket(Number(port), '127.0.0.1', () => socket.write('NONSENSE\r\n\r\n'));
      socket.on('data', (bytes) => {
        text += String(bytes);
      });
      socket.on('error', reject);
      socket.on('close', () => resolve(text));
    });
    expect(answer).toMatch(/^HTTP\/1.1 400/);
  });
});

describe('the description', () => {
  it('is OpenAPI 3.1 with every route that is served', async () => {
    const { body } = await open.ask('GET', '/openapi.json');
    expect(body).toMatchObject({ openapi: '3.1.0' });
    const paths = typeof body === 'object' && body !== null && 'paths' in body ? Object.keys(Object(body.paths)) : [];
    expect(paths).toEqual(
      expect.arrayContaining([
        '/healthz',
        '/v1/audit',
        '/v1/events',
        '/v1/namespaces/{namespace}/policies/{name}',
        '/v1/namespaces/{namespace}/policies/{name}/revisions/{revision}',
        '/v1/rollouts',
        '/v1/tokens/{id}',
      ]),
    );
    expect(JSON.stringify(body)).toContain('application/yaml');
    expect(await lintOpenApi(body)).toEqual([]);
    const broken = { ...Object(body), paths: { '/a/{b}': { get: { operationId: 'x', responses: {} } } } };
    expect((await lintOpenApi(broken)).join('\n')).toContain('get /a/{b}: b of the path is not described');
  });
});
