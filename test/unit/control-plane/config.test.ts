/**
 * The control plane refuses settings that cannot be, and listeners without a credential.
 */
import { describe, expect, it } from 'vitest';
import { checkConfig, controlPlaneOptions, type Secrets } from '../../../control-plane/config.ts';
import { parseOptions } from '../../../proto/kernel/options.ts';

function check(argv: string[], secrets: Partial<Secrets> = {}) {
  const parsed = parseOptions(controlPlaneOptions, { argv, env: {} });
  if (!parsed.ok || parsed.help) throw new Error(JSON.stringify(parsed));
  return checkConfig(parsed.values, { apiToken: undefined, ...secrets });
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
        '--listen 0.0.0.0:15080 is reachable from elsewhere: that needs --api-token-file (or WEIR_API_TOKEN) or --access tokens',
        '--nats nats.example:4222 is beyond loopback: that needs --nats-token-file, --nats-user, --nats-nkey-file, ' +
          '--nats-creds-file or --nats-cert-file',
      ],
    });
    const secrets = { natsToken: 'nats-secret', apiToken: 'api-secret' };
    expect(check(['--listen', '0.0.0.0:15080', '--nats', 'nats://nats.example:4222'], secrets)).toMatchObject({
      ok: true,
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
