/** The commands about the life of a policy and about tokens, against a real control plane and nats-server. */
import { describe, expect, it } from 'vitest';
import { controlPlaneForAll } from '../support/control-plane.ts';
import { type RunOutcome, weir } from '../support/fake-control-plane.ts';
import { until } from '../support/until.ts';

const policy = (name: string, limit: number): string => `apiVersion: weir.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: ${name}, namespace: shop }
spec:
  target: { service: ${name} }
  inbound: { concurrency: { fixed: { limit: ${limit} } } }
`;

const withBreaker = (name: string): string =>
  policy(name, 64).replace('\n  inbound:', '\n  outbound: { circuitBreaker: { consecutiveFailures: 5 } }\n  inbound:');

const mesh = controlPlaneForAll();

function run(line: string, stdin = ''): Promise<RunOutcome> {
  const env = { WEIR_SERVER: mesh.controlPlane.url };
  return weir({ fetch: globalThis.fetch }, line, { env, stdin, wallMs: Date.now });
}

describe('the life of a policy', () => {
  it('is validated without a server, told apart by revision, and rolled back as a new one', async () => {
    expect(await run('validate -f -', policy('a', 64))).toMatchObject({ code: 0, stdout: 'policy shop/a is valid\n' });
    const wrong = await run('validate -f -', policy('a', 0));
    expect(wrong).toMatchObject({ code: 6, stdout: '' });
    expect(wrong.stderr).toContain('<stdin>:6:');
    await run('apply -f -', policy('a', 64));
    await run('apply -f -', policy('a', 32));
    const history = (await run('history shop/a')).stdout.split('\n');
    expect(history[0]).toMatch(/^REVISION +ACTION +AGE +BY +CHANGE +REASON$/);
    expect(history[1]).toMatch(/^2 +update +\d+s +loopback +inbound.concurrency.fixed.limit 64 → 32 +–$/);
    expect(await run('history shop/a --diff 1..2')).toEqual({
      code: 1,
      stdout: '/spec/inbound/concurrency/fixed/limit\n- 64\n+ 32\n',
      stderr: '',
    });
    expect((await run('history a 1 -n shop')).stdout).toContain('limit: 64');
    expect((await run('rollback shop/a --to 1 --dry-run')).stdout).toMatch(/ \(dry run\)\n$/);
    expect(await run('rollback shop/a --to 1')).toMatchObject({
      code: 0,
      stdout: 'policy shop/a is as in revision 1, now revision 3\n',
    });
    expect(await run('rollback shop/a --to 9')).toMatchObject({ code: 1 });
    expect(await run('rollback shop/nobody --to 1')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('policy shop/nobody does not exist'),
    });
  });

  it('reaches the instances by stages, which can be paused and taken back', async () => {
    await run('apply -f -', policy('b', 64));
    const begun = await run('rollout start -f - --stages 50%:1h,100%:1h', policy('b', 32));
    expect(begun).toMatchObject({ code: 0, stdout: expect.stringContaining('rollout of shop/b begun: progressing') });
    expect((await run('rollout status')).stdout).toMatch(/\nshop\/b +progressing +1\/2 \(50%\) /);
    expect((await run('rollout pause shop/b')).stdout).toContain('rollout of shop/b: paused');
    expect(await run('rollout start -f -', policy('b', 16))).toMatchObject({ code: 5 });
    expect((await run('rollout abort shop/b')).stdout).toContain('rollout of shop/b: aborted');
    expect((await run('rollout status shop/b -o json')).stdout).toContain('"phase": "aborted"');
    expect(await run('rollout status shop/nobody')).toMatchObject({ code: 1 });
    expect(await run('rollout start -f - --stages 5', policy('b', 16))).toMatchObject({ code: 2 });
  });

  it('says that no sidecar could tell the impact, where none is there', async () => {
    const { code, stdout } = await run('impact -f -', policy('c', 8));
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('policy shop/c: ') });
  });
});

describe('a breaker', () => {
  it('is forced with a reason and an end, shown with both, and reset', async () => {
    expect(await run('breaker force open shop/d')).toMatchObject({ code: 2, stderr: expect.stringContaining('why?') });
    expect(await run('breaker force shop/d --reason x')).toMatchObject({ code: 2 });
    expect(await run('breaker reset shop/d')).toMatchObject({ code: 5 });
    await run('apply -f -', withBreaker('d'));
    const forced = await until(
      async () => {
        const tried = await run('breaker force open shop/d --reason moving --for 10m');
        return tried.code === 0 ? tried : undefined;
      },
      { what: 'it is forced', timeoutMs: 8000 },
    );
    expect(forced.stdout).toMatch(/^breaker of shop\/d: forced_open for (10|9)m\n$/);
    expect((await run('breakers')).stdout).toMatch(
      /\nshop\/d +.*forced_open.*ends in (10|9)m.* forced +loopback: moving\n/,
    );
    expect((await run('breakers shop/d -o json')).stdout).toContain('"rule": "forced"');
    expect(await run('breakers shop/nobody')).toMatchObject({ code: 1 });
    expect((await run('breaker reset shop/d')).stdout).toMatch(/^breaker of shop\/d: (half_)?open\n$/);
  });
});

describe('tokens', () => {
  it('are printed once, alone on stdout, listed without themselves, and revoked', async () => {
    expect(await run('token whoami')).toMatchObject({ code: 0, stdout: 'loopback (admin)\n' });
    const made = await run('token create ci --role editor --expires-in 1h');
    expect(made).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^token [0-9a-f]{12} for ci, editor, until /),
    });
    const secret = made.stdout.trim();
    expect(secret).toMatch(/^\S{32,}$/);
    const listed = (await run('token ls -o json')).stdout;
    expect(listed).toContain('"name": "ci"');
    expect(listed).not.toContain(secret);
    const id = /^token ([0-9a-f]{12})/.exec(made.stderr)?.[1] ?? '';
    expect(await run(`token revoke ${id}`)).toMatchObject({ code: 0, stdout: `token ${id} of ci is revoked\n` });
    expect((await run('token ls')).stdout).not.toContain(' ci ');
    expect(await run('token create')).toMatchObject({ code: 2 });
    expect((await run('audit --kind token')).stdout.split('\n').length).toBeGreaterThanOrEqual(3);
  });
});
