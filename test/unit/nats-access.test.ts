/** How both programs reach NATS: what is refused at start, and what the client is given at each connect. */
import { describe, expect, it } from 'vitest';
import { parseOptions } from '../../proto/kernel/options.ts';
import {
  checkNatsAccess,
  hideCredentials,
  type NatsAccess,
  natsAccessOptions,
  natsAuthenticator,
  natsFileErrors,
} from '../../proto/nats-access.ts';

function check(nats: string, argv: string[] = [], secrets: { natsToken?: string; natsPassword?: string } = {}) {
  const parsed = parseOptions(natsAccessOptions, { argv, env: {} });
  if (!parsed.ok || parsed.help) throw new Error(JSON.stringify(parsed));
  return checkNatsAccess(nats, parsed.values, secrets);
}

function access(nats: string, argv: string[], secrets: { natsToken?: string } = {}): NatsAccess {
  const checked = check(nats, argv, secrets);
  if (!checked.ok) throw new Error(checked.errors.join('; '));
  return checked.access;
}

const errors = (...given: Parameters<typeof check>) => {
  const checked = check(...given);
  return checked.ok ? [] : checked.errors;
};

describe('access to NATS', () => {
  it('needs nothing on loopback, and one credential beyond', () => {
    expect(access('nats://127.0.0.1:4222, localhost,[::1]:1', [])).toEqual({
      servers: ['127.0.0.1:4222', 'localhost:4222', '[::1]:1'],
      tls: undefined,
      credential: { kind: 'none' },
    });
    expect(errors('nats://a,nats://b')).toEqual([
      expect.stringMatching(/^--nats a:4222 is beyond loopback: that needs --nats-token-file/),
      expect.stringMatching(/^--nats b:4222 is beyond loopback/),
    ]);
    for (const argv of [
      ['--nats-token-file', 't'],
      ['--nats-user', 'u', '--nats-password-file', 'p'],
      ['--nats-nkey-file', 'n'],
      ['--nats-creds-file', 'c'],
      ['--nats-cert-file', 'c', '--nats-key-file', 'k'],
    ]) {
      expect(errors('nats://a', argv)).toEqual([]);
    }
    expect(errors('nats://a', [], { natsToken: 'from the environment' })).toEqual([]);
  });

  it('takes TLS for demanded when an address or a file says so', () => {
    expect(access('tls://127.0.0.1', []).tls).toEqual({});
    expect(access('127.0.0.1', ['--nats-ca-file', 'ca']).tls).toEqual({ caFile: 'ca' });
    expect(access('127.0.0.1', []).tls).toBeUndefined();
  });

  it('refuses what cannot be meant, and shows no secret in doing so', () => {
    expect(errors('nats://u:secret@a', ['--nats-token-file', 't'])).toEqual([
      '--nats nats://***@a: credentials come from files, not from an address that all can read',
    ]);
    expect(errors('http://u:secret@x y')).toEqual([
      '--nats: "http://***@x y" is not nats://host:port or tls://host:port',
    ]);
    expect(errors('127.0.0.1', ['--nats-token-file', 't', '--nats-creds-file', 'c'])).toEqual([
      'NATS takes one credential, not token and creds',
    ]);
    expect(errors('127.0.0.1', ['--nats-user', 'u'])).toEqual([
      '--nats-user and --nats-password-file (or WEIR_NATS_PASSWORD) need each other',
    ]);
    expect(errors('127.0.0.1', ['--nats-cert-file', 'c'])).toEqual([
      '--nats-cert-file and --nats-key-file need each other',
    ]);
    expect(hideCredentials('nats://token@a:1')).toBe('nats://***@a:1');
  });

  it('names the files that are missing, empty or something else', () => {
    const files: Record<string, string> = { empty: '\n', other: 'hello' };
    const read = (file: string): string => {
      const text = files[file];
      if (text === undefined) throw new Error('no such file');
      return text;
    };
    const wrong = (...argv: string[]) => natsFileErrors(access('127.0.0.1', argv), read);
    expect(wrong('--nats-token-file', 'absent')).toEqual(['absent: no such file']);
    expect(wrong('--nats-token-file', 'empty')).toEqual(['empty is empty']);
    expect(wrong('--nats-nkey-file', 'other')).toEqual(["other: no user's nkey seed"]);
    expect(wrong('--nats-creds-file', 'other', '--nats-ca-file', 'absent')).toEqual([
      'other: no NATS credentials',
      'absent: no such file',
    ]);
    expect(wrong('--nats-token-file', 'other')).toEqual([]);
  });

  it('reads a secret again at every connect, and keeps the last one while its file is away', () => {
    const client = {
      tokenAuthenticator: (token: string) => () => token,
      usernamePasswordAuthenticator: (user: string, password?: string) => () => `${user}:${password}`,
      nkeyAuthenticator: (seed: Uint8Array) => () => `seed of ${seed.length}`,
      credsAuthenticator: (creds: Uint8Array) => () => `creds of ${creds.length}`,
    };
    let text: string | null = 'one\n';
    const read = (): string => {
      if (text === null) throw new Error('no such file');
      return text;
    };
    const { credential } = access('127.0.0.1', ['--nats-user', 'u', '--nats-password-file', 'p']);
    const authenticate = natsAuthenticator(credential, client, read)!;
    expect(authenticate('nonce')).toBe('u:one');
    text = 'two';
    expect(authenticate()).toBe('u:two');
    text = null;
    expect(authenticate()).toBe('u:two');
    expect(natsAuthenticator({ kind: 'none' }, client, read)).toBeUndefined();
    expect(natsAuthenticator({ kind: 'nkey', secret: { text: 'abc' } }, client, read)?.()).toBe('seed of 3');
  });
});
