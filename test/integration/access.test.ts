/** Roles and tokens on a real nats-server: the first one, what each role may, expiry, revocation, and the audit of denials. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'nats';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { showFirstToken } from '../../control-plane/first-token.ts';
import { createLog } from '../../proto/kernel/log-format.ts';
import { type ApiAnswer, startTestControlPlane, type TestControlPlane } from '../support/control-plane.ts';
import { startNatsServer, type TestNatsServer } from '../support/nats-server.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

const policies = '/v1/namespaces/shop/policies';
const policy = {
  apiVersion: 'weir.dev/v1alpha1',
  kind: 'TrafficPolicy',
  metadata: { name: 'payments', namespace: 'shop' },
  spec: { target: { service: 'payments' }, inbound: { concurrency: { fixed: { limit: 64 } } } },
};

let nats: TestNatsServer;
let one: TestControlPlane;
let other: TestControlPlane;
let admin: string;

beforeAll(async () => {
  nats = await startNatsServer();
  one = await startTestControlPlane(nats.url, { argv: ['--access', 'tokens', '--metrics', '127.0.0.1:0'] });
  other = await startTestControlPlane(nats.url, { argv: ['--access', 'tokens', '--id', 'cp-1'] });
  await Promise.all([one.isReady(), other.isReady()]);
  admin = await until(() => one.firstTokens[0] ?? other.firstTokens[0], { what: 'there is a first token' });
});

afterAll(async () => {
  await Promise.all([one.close(), other.close()]);
  await nats.stop();
});

const as = (token: string) => ({ authorization: `Bearer ${token}` });

async function make(role: string, more: object = {}): Promise<{ id: string; token: string }> {
  const answer = await one.ask('POST', '/v1/tokens', { body: { name: role, role, ...more }, headers: as(admin) });
  expect(answer.status).toBe(201);
  return JSON.parse(JSON.stringify(answer.body));
}

async function statusOf(token: string, method: string, path: string, body?: unknown): Promise<number> {
  const answer: ApiAnswer = await one.ask(method, path, { body, headers: { ...as(token), 'if-match': '*' } });
  return answer.status;
}

describe('access by tokens', () => {
  it('begins with one token, made by one control plane, an admin for a day, and in no log', async () => {
    expect([...one.firstTokens, ...other.firstTokens]).toHaveLength(1);
    expect(await one.ask('GET', '/v1/whoami', { headers: as(admin) })).toMatchObject({
      status: 200,
      body: { name: 'token first', role: 'admin' },
    });
    expect((await one.ask('GET', '/v1/policies')).status).toBe(401);
    const secret = admin.slice(-43);
    expect(JSON.stringify([one.logged, other.logged])).not.toContain(secret);
    const connection = await connect({ servers: nats.url });
    const manager = await connection.jetstreamManager();
    const { state } = await manager.streams.info('KV_weir_access');
    for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
      const stored = await manager.streams.getMessage('KV_weir_access', { seq });
      expect(new TextDecoder().decode(stored.data)).not.toContain(secret);
    }
    await connection.close();
  });

  it('lets each role do what it may, and no more', async () => {
    const [viewer, operator, editor] = await Promise.all(['viewer', 'operator', 'editor'].map((role) => make(role)));
    const all = [viewer!.token, operator!.token, editor!.token, admin];
    const statuses = (method: string, path: string, body?: unknown) =>
      Promise.all(all.map((token) => statusOf(token, method, path, body)));
    expect(await statuses('GET', '/v1/policies')).toEqual([200, 200, 200, 200]);
    expect(await statuses('POST', `${policies}?dryRun=All`, policy)).toEqual([403, 403, 200, 200]);
    expect(await statuses('POST', `${policies}/payments/impact`, policy)).toEqual([200, 200, 200, 200]);
    expect(await statuses('POST', `${policies}/payments/rollout/pause`)).toEqual([403, 404, 404, 404]);
    expect(await statuses('POST', `${policies}/payments/rollout/promote`)).toEqual([403, 403, 404, 404]);
    expect(await statuses('GET', '/v1/audit')).toEqual([403, 200, 200, 200]);
    expect(await statuses('GET', '/v1/tokens')).toEqual([403, 403, 403, 200]);
    const refused = await one.ask('GET', '/v1/tokens', { headers: as(editor!.token) });
    expect(refused.body).toMatchObject({ detail: 'this needs the role admin; token editor is editor' });
  });

  it('names the token in the history, and the denied in the audit', async () => {
    const editor = await make('editor', { name: 'ann' });
    const viewer = await make('viewer', { name: 'bob' });
    await one.ask('POST', `${policies}?reason=go`, { body: policy, headers: as(editor.token) });
    await one.ask('DELETE', `${policies}/payments`, { headers: as(viewer.token) });
    const audited = async (kind: string) =>
      JSON.stringify((await one.ask('GET', `/v1/audit?kind=${kind}`, { headers: as(admin) })).body);
    await until(async () => (await audited('policy')).includes('"by":"token ann"'), { what: 'ann is in the audit' });
    await until(async () => (await audited('denied')).includes(`DELETE ${policies}/payments`), { what: 'bob is, too' });
    expect(await audited('denied')).toContain('this needs the role editor; token bob is viewer');
    const metrics = await (await fetch(one.metricsUrl ?? '')).text();
    expect(metrics).toMatch(/^weir_control_plane_access_denied_total [1-9]/m);
    expect(metrics).toMatch(/^weir_control_plane_access_tokens [3-9]/m);
    const page = await one.ask('GET', '/v1/audit?limit=2', { headers: as(admin) });
    const next = JSON.parse(JSON.stringify(page.body));
    expect(next.items).toHaveLength(2);
    const rest = await one.ask('GET', `/v1/audit?limit=200&continue=${next.continue}`, { headers: as(admin) });
    const sequences = [next, JSON.parse(JSON.stringify(rest.body))].flatMap(({ items }) =>
      items.map(({ sequence }: { sequence: number }) => sequence),
    );
    expect(sequences).toEqual([...sequences].sort((a, b) => b - a));
    expect(new Set(sequences).size).toBe(sequences.length);
  });

  it('holds at every control plane at once, and no longer after it is revoked or has expired', async () => {
    const { id, token } = await make('viewer');
    const ask = () => other.ask('GET', '/v1/policies', { headers: as(token) });
    expect((await ask()).status).toBe(200);
    const session = await other.ask('POST', '/v1/session', { headers: as(token) });
    const cookie = { cookie: session.headers.get('set-cookie')?.split(';', 1)[0] ?? '' };
    expect((await other.ask('GET', '/v1/policies', { headers: cookie })).status).toBe(200);
    expect((await one.ask('DELETE', `/v1/tokens/${id}?dryRun=All`, { headers: as(admin) })).status).toBe(200);
    expect((await one.ask('DELETE', `/v1/tokens/${id}`, { headers: as(admin) })).status).toBe(200);
    expect((await one.ask('GET', '/v1/policies', { headers: as(token) })).status).toBe(401);
    await until(async () => (await ask()).status === 401, { what: 'the other knows it, too' });
    expect((await other.ask('GET', '/v1/policies', { headers: cookie })).status).toBe(401);
    const brief = await make('viewer', { expiresIn: '1s' });
    expect(await statusOf(brief.token, 'GET', '/v1/policies')).toBe(200);
    await until(async () => (await statusOf(brief.token, 'GET', '/v1/policies')) === 401, { what: 'it has expired' });
    const wrong = `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`;
    expect(await statusOf(wrong, 'GET', '/v1/policies')).toBe(401);
  });

  it('refuses what is no token, and names what is wrong', async () => {
    const ask = (body: unknown) => one.ask('POST', '/v1/tokens', { body, headers: as(admin) });
    expect(await ask({ name: 'a', role: 'king' })).toMatchObject({ status: 400 });
    expect(await ask({ name: 'a b', role: 'viewer' })).toMatchObject({ status: 400 });
    expect(await ask({ name: 'a', role: 'viewer', expiresIn: '99999h' })).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/expiresIn' }] },
    });
    expect((await ask({ name: 'a', role: 'viewer', extra: 1 })).body).toMatchObject({
      errors: [{ pointer: '/body/extra', message: 'is not known here' }],
    });
  });
});

describe('the first token without a terminal', () => {
  it('is in a file that only its owner reads, and in no line of the log', async () => {
    const file = join(tempDir('token').path, 'admin');
    const lines: string[] = [];
    await showFirstToken(
      'weir_secret',
      'tomorrow',
      file,
      createLog('debug', (line) => lines.push(JSON.stringify(line))),
    );
    expect(readFileSync(file, 'utf8')).toBe('weir_secret\n');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(lines.join()).toContain(file);
    expect(lines.join()).not.toContain('weir_secret');
  });
});
