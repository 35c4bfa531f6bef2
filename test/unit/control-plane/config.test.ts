/**
 * The control plane refuses settings that cannot be, and listeners without a credential.
 */
import { describe, expect, it } from 'vitest';
import { checkConfig, controlPlaneOptions } from '../../../control-plane/config.ts';
import { parseOptions } from '../../../proto/kernel/options.ts';

function check(argv: string[], secrets: { natsToken?: string; apiToken?: string } = {}) {
  const parsed = parseOptions(controlPlaneOptions, { argv, env: {} });
  if (!parsed.ok || parsed.help) throw new Error(JSON.stringify(parsed));
  return checkConfig(parsed.values, { natsToken: secrets.natsToken, apiToken: secrets.apiToken });
}

describe('control plane settings', () => {
  it('need nothing on loopback', () => {
    expect(check([])).toMatchObject({ ok: true, config: { natsAccess: { servers: ['127.0.0.1:4222'] } } });
    expect(check(['--listen', '[::1]:0', '--nats', 'nats://localhost'])).toMatchObject({ ok: true });
  });

  it('refuse an API or a NATS beyond loopback without credentials, both at once', () => {
    expect(check(['--listen', '0.0.0.0:15080', '--nats', 'nats://nats.example:4222'])).toEqual({
      ok: false,
      errors: [
        '--listen 0.0.0.0:15080 is reachable from elsewhere: that needs --api-token-file (or WEIR_API_TOKEN)',
        '--nats nats.example:4222 is beyond loopback: that needs --nats-token-file or credentials in the address',
      ],
    });
    const secrets = { natsToken: 'nats-secret', apiToken: 'api-secret' };
    expect(check(['--listen', '0.0.0.0:15080', '--nats', 'nats://nats.example:4222'], secrets)).toMatchObject({
      ok: true,
    });
  });

  it('take credentials from the address, a lone user as a token', () => {
    expect(check(['--nats', 'nats://u:p@a:1,nats://u:p@b'])).toMatchObject({
      config: { natsAccess: { servers: ['a:1', 'b:4222'], user: 'u', password: 'p', token: undefined } },
    });
    expect(check(['--nats', 'nats://secret@a'])).toMatchObject({
      config: { natsAccess: { token: 'secret', user: undefined } },
    });
  });

  it('refuse what is no address and what is no token', () => {
    expect(check(['--nats', 'http://x y'])).toMatchObject({
      ok: false,
      errors: [expect.stringContaining('nats://host:port')],
    });
    expect(check([], { apiToken: 'a b' })).toMatchObject({ ok: false });
    expect(check([], { apiToken: '' })).toMatchObject({ ok: false });
  });
});
