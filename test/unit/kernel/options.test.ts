/**
 * Settings from flags over environment over file, with every error at once.
 */
import { describe, expect, it } from 'vitest';
import { defineOptions, helpText, parseOptions, peekOption } from '../../../proto/kernel/options.ts';

const definition = defineOptions({
  config: { kind: 'string', description: 'File with settings.' },
  listen: { kind: 'hostPort', default: '127.0.0.1:15080', description: 'Where the API listens.' },
  admin: { kind: 'listen', description: 'Admin door.' },
  workers: { kind: 'integer', default: 2, min: 1, max: 8, description: 'Workers.' },
  sample: { kind: 'number', default: 0.01, min: 0, max: 1, description: 'Share logged.' },
  drainTimeout: { kind: 'duration', default: '30s', max: 60_000, description: 'Time to drain.' },
  logFormat: { kind: 'choice', choices: ['auto', 'json'], default: 'auto', description: 'Format.' },
  quiet: { kind: 'boolean', default: false, description: 'Says less.' },
  upstream: { kind: 'list', pattern: /^[0-9]+=.+$/, placeholder: '<port>=<ns>/<svc>', description: 'Upstreams.' },
  zone: { kind: 'string', description: 'Zone.' },
});

const parse = (argv: string[], env: Record<string, string> = {}, file?: unknown) =>
  parseOptions(definition, { argv, env, file });

describe('options', () => {
  it('gives defaults, typed', () => {
    const parsed = parse([]);
    if (!parsed.ok || parsed.help) throw new Error('refused');
    expect(parsed.values).toEqual({
      config: undefined,
      listen: { host: '127.0.0.1', port: 15080 },
      admin: undefined,
      workers: 2,
      sample: 0.01,
      drainTimeout: 30_000,
      logFormat: 'auto',
      quiet: false,
      upstream: [],
      zone: undefined,
    });
    // The types are checked by the compiler, not at run time.
    const port: number = parsed.values.listen.port;
    const format: 'auto' | 'json' = parsed.values.logFormat;
    const zone: string | undefined = parsed.values.zone;
    expect([port, format, zone]).toEqual([15080, 'auto', undefined]);
  });

  it('takes flags over environment over file', () => {
    const parsed = parse(
      ['--workers', '3', '--upstream', '1=a/b', '--upstream=2=c/d', '--quiet', '--admin', 'unix:/run/a.sock'],
      { WEIR_WORKERS: '4', WEIR_DRAIN_TIMEOUT: '1s500ms', WEIR_ZONE: '' },
      { workers: 5, drainTimeout: '2s', logFormat: 'json', zone: 'z1', listen: '[::1]:0' },
    );
    if (!parsed.ok || parsed.help) throw new Error(JSON.stringify(parsed));
    expect(parsed.values).toMatchObject({
      workers: 3,
      drainTimeout: 1500,
      logFormat: 'json',
      zone: 'z1',
      quiet: true,
      upstream: ['1=a/b', '2=c/d'],
      admin: { path: '/run/a.sock' },
      listen: { host: '::1', port: 0 },
    });
  });

  it('names every mistake at once, with where it stands and what is allowed', () => {
    const parsed = parse(
      ['--workers', '9', '--listn', 'x', '--sample=two', 'word', '--upstream', 'nope', '--zone'],
      { WEIR_DRAIN_TIMEOUT: '5 minutes' },
      { logFormat: 'xml', colour: 'red', listen: '127.0.0.1:99999' },
    );
    expect(parsed).toEqual({
      ok: false,
      errors: [
        'unknown flag --listn',
        'unexpected argument "word"',
        '--zone needs a value',
        'the configuration file sets "colour", which is no option',
        '"listen" in the configuration file: "127.0.0.1:99999" is not host:port with a port from 0 to 65535 (IPv6 in brackets)',
        '--workers: "9" is not an integer from 1 to 8',
        '--sample: "two" is not a number from 0 to 1',
        'WEIR_DRAIN_TIMEOUT: "5 minutes" is not a duration like 500ms, 30s or 1m30s of at most 60000 ms',
        '"logFormat" in the configuration file: "xml" is not one of auto, json',
        '--upstream: "nope" is not <port>=<ns>/<svc>',
      ],
    });
  });

  it('suggests the flag that was meant and refuses a single flag given twice', () => {
    expect(parse(['--work', '3'])).toMatchObject({ errors: ['unknown flag --work; did you mean --workers?'] });
    expect(parse(['--workers', '3', '--workers', '4'])).toMatchObject({ errors: ['--workers is given twice'] });
    expect(parse(['--no-quiet'])).toMatchObject({ values: { quiet: false } });
  });

  it('answers help before anything else, and prints flags, defaults and examples', () => {
    expect(parse(['--nonsense', '-h'])).toEqual({ ok: true, help: true });
    const text = helpText('weir control-plane', definition, ['weir control-plane --nats nats://127.0.0.1:4222']);
    expect(text).toContain('--drain-timeout <duration>');
    expect(text).toContain('(default 30s)');
    expect(text).toContain('weir control-plane --nats');
  });

  it('finds the configuration file before the rest is read', () => {
    expect(peekOption('config', { argv: ['--config', 'a.yaml'], env: { WEIR_CONFIG: 'b.yaml' } })).toBe('a.yaml');
    expect(peekOption('config', { argv: [], env: { WEIR_CONFIG: 'b.yaml' } })).toBe('b.yaml');
    expect(peekOption('config', { argv: [], env: {} })).toBeUndefined();
  });
});
