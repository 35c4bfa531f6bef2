/** The commands against a control plane made of a fetch function: what they send, what they print, how they end. */
import { beforeEach, describe, expect, test } from 'vitest';
import { commands } from '../../../control-plane/cli/commands.ts';
import { FakeControlPlane, weir } from '../../support/fake-control-plane.ts';

const traffic = {
  requestsPerSecond: 120.4,
  successRatio: 0.987,
  failuresPerSecond: 1,
  rejectedPerSecond: { rate_limit: 12.44, queue_full: 3, shed: 0 },
  p50Ms: 4,
  p99Ms: 38.2,
  inFlight: 12,
  concurrencyLimit: 64,
  queueDepth: 0,
};
const unknownTraffic = {
  ...Object.fromEntries(Object.keys(traffic).map((field) => [field, null])),
  rejectedPerSecond: {},
};
const service = (name: string, more: object = {}) => ({
  namespace: 'shop',
  service: name,
  live: 2,
  stale: 0,
  draining: 0,
  policy: { version: 3, hash: 'abc', applied: 8, expected: 8, rejected: [], behind: [] },
  inbound: traffic,
  sparkline: [],
  breaker: { state: 'closed', ageMs: 1000, evidence: '' },
  callers: ['shop/orders'],
  targets: [],
  attention: 0,
  ...more,
});
const instance = {
  namespace: 'shop',
  service: 'payments',
  instance: 'payments-0',
  incarnation: 'x1',
  zone: 'a',
  version: '0.1.0',
  address: '127.0.0.1:9001',
  state: 'live',
  lastSeenMs: 700,
  policies: [{ target: 'shop/payments', version: 3, hash: 'abc', status: 'applied', message: '' }],
  breakers: [{ target: 'shop/inventory', local: 'closed', fleet: 'open', generation: 1, ageMs: 5, cause: '' }],
  inbound: traffic,
  outbound: [],
  rssBytes: 70 * 1024 ** 2,
  bufferedBytes: 0,
  loopLagMs: 1,
  uptimeMs: 60_000,
};
const policy = (rate = '500/s', namespace = 'shop') => `apiVersion: weir.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: payments, namespace: ${namespace} }
spec:
  target: { service: payments }
  inbound:
    rateLimits:
      - { name: total, rate: ${rate} }
`;

let api: FakeControlPlane;
beforeEach(() => {
  api = new FakeControlPlane();
});
const closed = () => {
  throw new TypeError('fetch failed', { cause: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }) });
};

describe('get', () => {
  test('shows services, the worst first', async () => {
    const open = { state: 'open', ageMs: 4200, evidence: 'opened, 4 of 4 callers, 61/80 failed, fleet' };
    api.services = [service('orders'), service('payments', { attention: 9, breaker: open, stale: 1 })];
    const { code, stdout, stderr } = await weir(api, 'get services');
    expect(stderr).toBe('');
    expect(stdout.split('\n')).toEqual([
      'SERVICE         LIVE          POLICY      RPS   SUCCESS   P99    REJECTED/S                        BREAKER',
      'shop/payments   2 (1 stale)   v3 on 8/8   120   98.7%     38ms   12.4 rate_limit, 3.0 queue_full   ✕ open 4s',
      expect.stringMatching(/^shop\/orders .*● closed$/),
      '',
    ]);
    expect(code).toBe(0);
    expect((await weir(api, 'get services -o wide')).stdout).toContain('61/80 failed');
  });

  test('shows what is not known as a dash, never as zero', async () => {
    api.services = [
      service('new', { inbound: unknownTraffic, policy: { version: null, applied: 0, expected: 0, rejected: [] } }),
    ];
    expect((await weir(api, 'get services')).stdout).toMatch(/shop\/new +2 +– +– +– +– +– +● closed/);
  });

  test('shows instances with the breakers that are not closed', async () => {
    api.instances = [instance];
    const { stdout } = await weir(api, 'get instances');
    expect(stdout).toMatch(/payments-0 +live +0s ago +shop\/payments v3 .*shop\/inventory open \(fleet\)/);
    expect((await weir(api, 'get instances -o name')).stdout).toBe('instance/shop/payments/payments-0\n');
  });

  test('shows policies as a table, and one by name as the document itself', async () => {
    await weir(api, 'apply -f p.yaml', { files: { 'p.yaml': policy() } });
    expect((await weir(api, 'get policies -o wide')).stdout).toMatch(
      /shop\/payments +shop\/payments +enforce +1 +2h +rate limits total 500\/s/,
    );
    const { stdout } = await weir(api, 'get policy payments -o yaml');
    expect(stdout).toContain('kind: TrafficPolicy');
    expect(stdout).not.toContain('items:');
    expect(JSON.parse((await weir(api, 'get policies -o json')).stdout).items).toHaveLength(1);
  });

  test('follows the pages of a long list', async () => {
    api.keep('shop/payments', { kind: 'TrafficPolicy', metadata: {}, spec: {} });
    const [document] = [...api.policies.values()].map((kept) => kept.document);
    api.intercept = ({ path }) =>
      path === '/v1/policies' ? { status: 200, body: { items: [document], continue: 'next' } } : undefined;
    expect((await weir(api, 'get policies -o name')).stdout).toBe('policy/shop/payments\npolicy/shop/payments\n');
    expect(api.sent.map(({ path }) => path)).toEqual(['/v1/policies', '/v1/policies?continue=next']);
  });

  test('chooses by namespace and name, and fails on a name that is not there', async () => {
    api.services = [service('payments'), service('payments', { namespace: 'bank' }), service('orders')];
    expect((await weir(api, 'get services -n bank -o name')).stdout).toBe('service/bank/payments\n');
    expect((await weir(api, 'get service shop/orders -o name')).stdout).toBe('service/shop/orders\n');
    const absent = await weir(api, 'get service nobody');
    expect(absent).toEqual({
      code: 1,
      stdout: '',
      stderr: 'error: none of the services is named nobody in any namespace\n',
    });
  });

  test('says on stderr that a list is empty, and prints nothing', async () => {
    expect(await weir(api, 'get services')).toEqual({ code: 0, stdout: '', stderr: 'no services\n' });
    expect((await weir(api, 'get services -o json')).stdout).toBe('{\n  "items": []\n}\n');
  });

  test('watches until interrupted, and prints again only what changed', async () => {
    api.services = [service('orders')];
    let looks = 0;
    const { code, stdout } = await weir(api, 'get services -o name -w', {
      onSleep: () => {
        looks += 1;
        if (looks === 2) api.services = [service('payments')];
        return looks === 4;
      },
    });
    expect(stdout).toBe('service/shop/orders\n\nservice/shop/payments\n');
    expect(code).toBe(130);
  });

  test('keeps watching through an outage of the control plane', async () => {
    let looks = 0;
    api.services = [service('orders')];
    const { stderr } = await weir(api, 'get services -o name -w', {
      onSleep: () => {
        looks += 1;
        api.intercept = looks === 1 || looks === 2 ? closed : () => undefined;
        return looks === 4;
      },
    });
    expect(stderr).toMatch(/^no control plane answers .*; waiting for it\nthe control plane answers again\n$/);
  });

  test('refuses an answer it does not understand', async () => {
    api.services = [{ ...service('orders'), live: 'two' }];
    expect(await weir(api, 'get services')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('does not understand'),
    });
  });
});

describe('apply', () => {
  const files = { 'p.yaml': policy() };

  test('creates, then leaves unchanged, then configures by If-Match from a fresh look', async () => {
    expect((await weir(api, 'apply -f p.yaml', { files })).stdout).toBe('policy shop/payments created\n');
    expect((await weir(api, 'apply -f p.yaml', { files })).stdout).toBe('policy shop/payments unchanged\n');
    const changed = await weir(api, 'apply -f -', { stdin: policy('800/s') });
    expect(changed).toEqual({ code: 0, stdout: 'policy shop/payments configured\n', stderr: '' });
    const put = api.sent.at(-1);
    expect([put?.method, put?.path, put?.headers['if-match']]).toEqual([
      'PUT',
      '/v1/namespaces/shop/policies/payments',
      '"1"',
    ]);
  });

  test('lists every mistake of every file with its place, and sends nothing', async () => {
    const wrong = policy('-5/s').replace('kind: TrafficPolicy', 'kind: TrafficPolice');
    const { code, stdout, stderr } = await weir(api, 'apply -f a.yaml -f b.yaml -f p.yaml', {
      files: { ...files, 'a.yaml': wrong, 'b.yaml': 'a: [\n' },
    });
    expect([code, stdout, api.sent.length]).toEqual([6, '', 0]);
    expect(stderr).toContain('nothing was changed');
    expect(stderr).toMatch(/a\.yaml:2:\d+ \/kind: /);
    expect(stderr).toMatch(/a\.yaml:8:\d+ \/spec\/inbound\/rateLimits\/0\/rate: /);
    expect(stderr).toMatch(/b\.yaml:\d+:\d+/);
  });

  test('applies several documents, and -n gives a namespace to those without', async () => {
    const two = `${policy().replace(', namespace: shop', '')}---\n${policy().replace('name: payments', 'name: other')}`;
    expect((await weir(api, 'apply -f - -n shop', { stdin: two })).stdout).toBe(
      'policy shop/payments created\npolicy shop/other created\n',
    );
    const contrary = await weir(api, 'apply -f - -n bank', { stdin: policy() });
    expect(contrary).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('is in namespace shop, but -n says bank'),
    });
  });

  test('does not overwrite what changed meanwhile', async () => {
    await weir(api, 'apply -f p.yaml', { files });
    api.intercept = ({ method }) => (method === 'PUT' ? { status: 412, body: { title: 'stale' } } : undefined);
    const { code, stderr } = await weir(api, 'apply -f -', { stdin: policy('800/s') });
    expect(code).toBe(5);
    expect(stderr).toBe('policy shop/payments: stale; it was changed meanwhile, look again with "weir diff"\n');
  });

  test('prints what the server finds wrong, and goes on with the other documents', async () => {
    const errors = [{ pointer: '/spec/target', message: 'is reserved', hint: 'take another' }];
    api.intercept = ({ method, body }) =>
      method === 'POST' && JSON.stringify(body).includes('"payments"') && !JSON.stringify(body).includes('"other"')
        ? { status: 422, body: { title: 'invalid', errors } }
        : undefined;
    const two = `${policy()}---\n${policy().replace('name: payments', 'name: other')}`;
    const { code, stdout, stderr } = await weir(api, 'apply -f -', { stdin: two });
    expect([code, stdout]).toEqual([6, 'policy shop/other created\n']);
    expect(stderr).toContain('<stdin> /spec/target: is reserved (take another)');
  });

  test('changes nothing in a dry run', async () => {
    const { stdout } = await weir(api, 'apply -f p.yaml --dry-run', { files });
    expect(stdout).toBe('policy shop/payments created (dry run)\n');
    expect(api.policies.size).toBe(0);
    expect(api.sent.at(-1)?.path).toBe('/v1/namespaces/shop/policies?dryRun=All');
  });
});

describe('diff', () => {
  test('shows the lines that would change and exits 1, or nothing and 0', async () => {
    await weir(api, 'apply -f -', { stdin: policy() });
    expect(await weir(api, 'diff -f -', { stdin: policy() })).toEqual({ code: 0, stdout: '', stderr: '' });
    const { code, stdout } = await weir(api, 'diff -f -', { stdin: policy('800/s') });
    expect(code).toBe(1);
    expect(stdout).toMatch(/^--- shop\/payments \(live\)\n\+\+\+ shop\/payments \(<stdin>\)\n@@ /);
    expect(stdout).toMatch(/\n- +rate: 500\/s\n\+ +rate: 800\/s\n/);
    expect(stdout).not.toContain('resourceVersion');
  });

  test('shows a new document as all added, in colour on a terminal', async () => {
    const { code, stdout } = await weir(api, 'diff -f -', { stdin: policy(), tty: true });
    expect(code).toBe(1);
    expect(stdout).toContain('--- /dev/null');
    expect(stdout).toContain('\u001b[32m+apiVersion: weir.dev/v1alpha1\u001b[0m');
  });
});

describe('delete', () => {
  test('deletes by If-Match, by name or by file', async () => {
    const files = { 'p.yaml': policy() };
    await weir(api, 'apply -f p.yaml', { files });
    expect((await weir(api, 'delete policy shop/payments')).stdout).toBe('policy shop/payments deleted\n');
    expect(api.sent.at(-1)?.headers['if-match']).toBe('"1"');
    await weir(api, 'apply -f p.yaml', { files });
    expect((await weir(api, 'delete -f p.yaml', { files })).stdout).toBe('policy shop/payments deleted\n');
  });

  test('fails on what is absent, unless told not to', async () => {
    expect(await weir(api, 'delete policy payments')).toMatchObject({
      code: 1,
      stderr: 'policy default/payments does not exist\n',
    });
    expect(await weir(api, 'delete policy payments --ignore-not-found')).toEqual({ code: 0, stdout: '', stderr: '' });
    expect((await weir(api, 'delete policy')).code).toBe(2);
    expect((await weir(api, 'delete service payments')).code).toBe(2);
  });
});

describe('every command', () => {
  test.each([
    ['a closed port', closed, 3],
    ['a wrong token', () => ({ status: 401, body: { title: 'unauthorized' } }), 4],
    ['a forbidden action', () => ({ status: 403, body: { title: 'forbidden' } }), 4],
    ['a control plane without NATS', () => ({ status: 503, body: { title: 'no store' } }), 3],
    ['a server error', () => ({ status: 500, body: { title: 'bug' } }), 1],
  ])('ends on %s with its exit code, whatever the format', async (_what, intercept, code) => {
    api.intercept = intercept;
    for (const line of ['get services', 'get policies -o json', 'apply -f -', 'diff -f -', 'delete policy a']) {
      expect((await weir(api, line, { stdin: policy() })).code, line).toBe(code);
    }
  });

  test('times out with 7', async () => {
    const never = Object.assign(new FakeControlPlane(), {
      fetch: (_: unknown, init?: RequestInit) =>
        new Promise<Response>((_resolve, reject) => {
          init?.signal?.addEventListener('abort', () => reject(init.signal?.reason));
        }),
    });
    expect(await weir(never, 'get services --timeout 20ms')).toMatchObject({
      code: 7,
      stderr: 'error: no answer from http://127.0.0.1:15080 within 20 ms\n',
    });
  });

  test('sends the token of the environment or the file', async () => {
    await weir(api, 'get services', { env: { WEIR_API_TOKEN: 'secret' } });
    await weir(api, 'get services --token-file t', { files: { t: 'other\n' } });
    await weir(api, 'get services');
    expect(api.sent.map(({ headers }) => headers.authorization)).toEqual(['Bearer secret', 'Bearer other', undefined]);
  });

  test.each(Object.keys(commands).filter((name) => 'load' in commands[name]!))(
    '%s explains itself, with examples',
    async (name) => {
      for (const line of [`${name} --help`, `help ${name}`]) {
        const { code, stdout } = await weir(api, line);
        expect(code).toBe(0);
        expect(stdout).toMatch(/Usage: weir .*\n\nExamples:\n {2}.*weir [\s\S]*--help/);
      }
    },
  );

  test.each([
    'get',
    'get nothing',
    'get services -o xml',
    'apply',
    'diff',
    'delete',
    'probe',
    'nonsense',
    'get services a b c',
  ])('ends with 2 on misuse: %s', async (line) => {
    expect(await weir(api, line)).toMatchObject({ code: 2, stdout: '' });
  });

  test('a misspelt command is guessed', async () => {
    expect((await weir(api, 'aply')).stderr).toContain('did you mean "apply"?');
  });
});

describe('weir alone', () => {
  test('shows the mesh', async () => {
    api.services = [service('orders')];
    const { code, stdout } = await weir(api, '');
    expect([code, stdout.split('\n').length]).toEqual([0, 3]);
  });

  test('says how to start one when none answers', async () => {
    api.intercept = closed;
    const { code, stdout, stderr } = await weir(api, '');
    expect([code, stdout]).toEqual([3, '']);
    expect(stderr).toContain('weir dev');
  });
});

describe('completion', () => {
  test.each(['bash', 'zsh', 'fish'])('for %s knows every command and their flags', async (shell) => {
    const { code, stdout } = await weir(api, `completion ${shell}`);
    expect(code).toBe(0);
    for (const name of Object.keys(commands)) expect(stdout).toContain(name);
    expect(stdout).toContain('ignore-not-found');
  });
});

test('version prints both sides', async () => {
  expect((await weir(api, 'version')).stdout).toMatch(/weir +\d+\.\d+\.\d+\nnode +\d+.*\ncontrol plane +9\.9\.9\n/);
  api.intercept = closed;
  expect(JSON.parse((await weir(api, 'version -o json')).stdout)).toMatchObject({ controlPlane: null });
});
