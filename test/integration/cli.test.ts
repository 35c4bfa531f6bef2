/** The built command against real programs: what an operator types, and how it ends. */
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:http2';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { distFolder, runWeir, startWeir, text, type WeirProcess } from '../support/process.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

describe('drain and probe', () => {
  const app = createServer((_request, response) => held.push(() => response.end('done')));
  const held: (() => void)[] = [];
  let sidecar: WeirProcess;
  let admin: string;

  beforeAll(async () => {
    await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
    const address = app.address();
    const port = typeof address === 'object' ? address?.port : 0;
    admin = `unix:${join(tempDir('admin').path, 'admin.sock')}`;
    const doors = ['inbound', 'outbound', 'health', 'metrics'].flatMap((door) => [`--${door}`, '127.0.0.1:0']);
    sidecar = await startWeir([
      'sidecar',
      '--app-protocol',
      'http1',
      '--service',
      'shop/web',
      '--app',
      `127.0.0.1:${port}`,
      ...doors,
      '--admin',
      admin,
    ]);
  });
  afterAll(async () => {
    for (const answer of held) answer();
    await sidecar?.kill9();
    app.close();
  });

  test('a drain waits for the request in flight, times out with 7 while it lasts, and then is done', async () => {
    const health = text(sidecar.listening, 'health');
    expect((await runWeir(['probe', 'ready', '--health', health])).code).toBe(0);
    const answer = get(`http://${text(sidecar.listening, 'inbound')}`);
    await until(() => held.length === 1, { what: 'the request reaches the app' });

    const early = await runWeir(['drain', '--admin', admin, '--timeout', '200ms']);
    expect(early).toMatchObject({ code: 7, stderr: expect.stringContaining('still has requests after 200 ms') });
    expect(await runWeir(['probe', 'ready', '--health', health])).toMatchObject({ code: 1 });
    expect((await runWeir(['probe', 'live', '--health', health])).code).toBe(0);

    const drained = runWeir(['drain'], { env: { WEIR_ADMIN: admin } });
    held[0]?.();
    expect(await answer).toBe('done');
    expect(await drained).toEqual({ code: 0, stdout: '', stderr: 'drained\n' });
  });

  test('without a sidecar they end with 3', async () => {
    const nobody = `unix:${join(tempDir('nobody').path, 'admin.sock')}`;
    expect((await runWeir(['drain', '--admin', nobody])).code).toBe(3);
    expect((await runWeir(['probe', 'live', '--health', '127.0.0.1:1'])).code).toBe(3);
  });
});

describe('the command as a program', () => {
  test('programs read their own options: help, and exit code 64 for bad ones', async () => {
    const help = await runWeir(['sidecar', '--help']);
    expect(help).toMatchObject({ code: 0, stdout: expect.stringContaining('--app') });
    expect(await runWeir(['sidecar', '--nope'])).toMatchObject({ code: 64, stderr: expect.stringContaining('--nope') });
  });

  test('data goes to stdout and messages to stderr', async () => {
    const env = { WEIR_SERVER: 'http://127.0.0.1:1' };
    expect(await runWeir(['get', 'services', '-o', 'json'], { env })).toMatchObject({
      code: 3,
      stdout: '',
      stderr: expect.stringContaining('weir dev'),
    });
  });
});

describe.skipIf(!existsSync(join(distFolder, 'control-plane/main.js')))('dev, and the commands against it', () => {
  const dir = tempDir('dev');
  const folder = ['--data-dir', join(dir.path, 'data'), '--nats-port', '0', '--listen', '127.0.0.1:0'];
  let dev: WeirProcess;
  let env: Record<string, string>;
  let nats: string;

  beforeAll(async () => {
    ({ dev, env, nats } = await startDev());
  });
  afterAll(async () => {
    await dev?.stop('SIGINT');
  });

  async function startDev() {
    const started = await startWeir(['dev', ...folder]);
    await until(() => /nats:\/\//.test(started.output().stdout), { what: 'dev prints its addresses' });
    const address = /nats:\/\/\S+/.exec(started.output().stdout)?.[0] ?? '';
    return { dev: started, env: { WEIR_SERVER: text(started.listening, 'api') }, nats: address };
  }

  const policy = (rate: string) =>
    JSON.stringify({
      apiVersion: 'weir.dev/v1alpha1',
      kind: 'TrafficPolicy',
      metadata: { name: 'payments', namespace: 'shop' },
      spec: { target: { service: 'payments' }, inbound: { rateLimits: [{ name: 'total', rate }] } },
    });

  test('a policy is created, seen, compared, replaced, kept over a restart, and deleted', async () => {
    const weir = (line: string, input = '') => runWeir(line.split(' '), { env, input });
    expect(await weir('apply -f -', policy('500/s'))).toEqual({
      code: 0,
      stdout: 'policy shop/payments created\n',
      stderr: '',
    });
    expect((await weir('apply -f -', policy('500/s'))).stdout).toBe('policy shop/payments unchanged\n');
    expect(await weir('diff -f -', policy('500/s'))).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(await weir('diff -f -', policy('800/s'))).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('800/s'),
    });
    expect((await weir('apply -f - --dry-run', policy('800/s'))).code).toBe(0);
    expect((await weir('apply -f -', policy('800/s'))).stdout).toBe('policy shop/payments configured\n');
    expect((await weir('get policies -o name')).stdout).toBe('policy/shop/payments\n');
    expect((await weir('get policy shop/payments -o yaml')).stdout).toContain('rate: 800/s');

    expect(await dev.stop('SIGINT')).toMatchObject({ code: 130 });
    ({ dev, env, nats } = await startDev());
    expect((await weir('get policies -o name')).stdout).toBe('policy/shop/payments\n');
    expect((await weir('delete policy shop/payments')).stdout).toBe('policy shop/payments deleted\n');
    expect((await weir('get policies -o name')).stdout).toBe('');
  });

  test('an invalid policy is refused with every error, and nothing changes', async () => {
    const wrong = policy('-5/s').replace('"spec":{', '"spec":{"colour":"red",');
    const { code, stderr } = await runWeir(['apply', '-f', '-'], { env, input: wrong });
    expect(code).toBe(6);
    expect(stderr).toContain('/spec/colour');
    expect(stderr).toContain('/spec/inbound/rateLimits/0/rate');
    expect((await runWeir(['get', 'policies', '-o', 'name'], { env })).stdout).toBe('');
  });

  test('a sidecar that announces itself appears in get services and get instances', async () => {
    const doors = ['inbound', 'outbound', 'health', 'metrics', 'admin'].flatMap((door) => [`--${door}`, '127.0.0.1:0']);
    const who = ['--service', 'shop/web', '--instance', 'web-0', '--app', '127.0.0.1:1', '--nats', nats];
    const sidecar = await startWeir(['sidecar', ...who, ...doors]);
    await until(async () => (await runWeir(['get', 'instances'], { env })).stdout.includes('web-0'), {
      what: 'the instance is listed',
      timeoutMs: 10_000,
      intervalMs: 200,
    });
    expect((await runWeir([], { env })).stdout).toMatch(/^SERVICE[\s\S]*\nshop\/web +1 /);
    await sidecar.stop();
  });

  test('a nats-server that dies is started again with the same data', async () => {
    await runWeir(['apply', '-f', '-'], { env, input: policy('500/s') });
    const pid = Number(readFileSync(join(dir.path, 'data/nats-server.pid'), 'utf8'));
    process.kill(pid, 'SIGKILL');
    await until(() => dev.output().stderr.includes('nats-server runs again'), { what: 'nats-server runs again' });
    await until(async () => (await runWeir(['get', 'policies', '-o', 'name'], { env })).stdout.includes('payments'), {
      what: 'the policy is still there',
      timeoutMs: 15_000,
      intervalMs: 200,
    });
  });
});

/** Over HTTP/2, as the mesh speaks it. */
function get(origin: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const session = connect(origin);
    session.on('error', reject);
    const stream = session.request({ ':path': '/' });
    let body = '';
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk;
    });
    stream.on('error', reject);
    stream.on('end', () => {
      session.close();
      resolve(body);
    });
  });
}
