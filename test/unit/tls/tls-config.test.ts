/** Settings about TLS that only make sense together, and what the start-up says about files that cannot be used. */
import { afterAll, expect, test } from 'vitest';
import { parseOptions } from '../../../proto/kernel/options.ts';
import { checkConfig, type SidecarConfig, sidecarOptions } from '../../../sidecar/config.ts';
import { tlsFileErrors } from '../../../sidecar/io/tls/tls-setup.ts';
import { Authority, writePair, writePem } from '../../support/certificates.ts';
import { tempDir } from '../../support/temp-dir.ts';

const folder = tempDir('tls-config');
afterAll(() => folder.remove());

function configOf(...argv: string[]): SidecarConfig {
  const parsed = parseOptions(sidecarOptions, { argv: ['--app', '127.0.0.1:1', ...argv], env: {} });
  if (!parsed.ok || parsed.help) throw new Error(JSON.stringify(parsed));
  return parsed.values;
}

const pair = ['--tls-cert-file', 'c', '--tls-key-file', 'k'];

test('a listener beyond loopback needs a credential: mutual TLS or the mesh token; a server certificate is none', () => {
  const beyond = ['--inbound', '0.0.0.0:15006'];
  const refused = [
    '--inbound beyond loopback needs --tls-client-ca-file (mutual TLS) or --mesh-token-file: nothing listens to others without a credential',
  ];
  expect(checkConfig(configOf(...beyond))).toEqual(refused);
  expect(checkConfig(configOf(...beyond, ...pair))).toEqual(refused);
  expect(checkConfig(configOf(...beyond, ...pair, '--tls-client-ca-file', 'ca'))).toEqual([]);
  expect(checkConfig(configOf(...beyond, '--mesh-token-file', 't'))).toEqual([]);
});

test.each([
  [['--tls-cert-file', 'c'], '--tls-cert-file and --tls-key-file need each other'],
  [['--tls-key-file', 'k'], '--tls-cert-file and --tls-key-file need each other'],
  [
    ['--tls-client-ca-file', 'ca'],
    '--tls-client-ca-file needs --tls-cert-file: callers show a certificate only over TLS',
  ],
  [
    ['--upstream-tls', '--upstream-tls-cert-file', 'c'],
    '--upstream-tls-cert-file and --upstream-tls-key-file need each other',
  ],
  [
    ['--upstream-tls-ca-file', 'ca'],
    '--upstream-tls-… settings need --upstream-tls: without it services are dialled in plain text',
  ],
  [
    ['--upstream-tls', '--upstream-tls-identity', 'fixed.example'],
    '--upstream-tls-identity fixed.example: not a DNS name or URI with {service} in it, nor "any"',
  ],
  [['--app-tls-name', 'app'], '--app-tls-… settings need --app tls://host:port'],
])('%j is refused', (argv, message) => {
  expect(checkConfig(configOf(...argv))).toEqual([message]);
});

test('a PROXY header needs an inbound listener', () => {
  const parsed = parseOptions(sidecarOptions, { argv: ['--proxy-protocol'], env: {} });
  if (!parsed.ok || parsed.help) throw new Error(JSON.stringify(parsed));
  expect(checkConfig(parsed.values)).toEqual(['--proxy-protocol needs --app: it is for the inbound listener']);
});

test('files that cannot be used are named by their setting, and good ones pass', async () => {
  const { cert, key } = writePair(folder.path, 'good', new Authority('mesh').issue({ dns: ['a'] }));
  const noise = writePem(folder.path, 'noise.pem', 'x');
  expect(await tlsFileErrors(configOf())).toEqual([]);
  expect(await tlsFileErrors(configOf('--tls-cert-file', cert, '--tls-key-file', key))).toEqual([]);
  expect(await tlsFileErrors(configOf('--tls-cert-file', cert, '--tls-key-file', noise))).toEqual([
    `--tls-key-file ${noise}: holds no private key in PEM form`,
  ]);
});

test('an app may be over TLS; a service before its address is for endpoints only', () => {
  const app = (address: string): string[] => {
    const parsed = parseOptions(sidecarOptions, { argv: ['--app', address], env: {} });
    if (!parsed.ok || parsed.help) throw new Error(JSON.stringify(parsed));
    return checkConfig(parsed.values);
  };
  expect(app('tls://127.0.0.1:8443')).toEqual([]);
  expect(app('tls://shop/payments@127.0.0.1:8443')).toHaveLength(1);
  const refused = checkConfig(configOf('--endpoint', 'shop/payments=tls://shop/other@127.0.0.1:1'));
  expect(refused).toHaveLength(1);
});
