/** Addresses as the pool takes them: what asks for TLS, and for whose certificate. */
import { expect, test } from 'vitest';
import { XorShift32 } from '../../../proto/kernel/random.ts';
import { addressOverTls, parseUpstreamAddress } from '../../../sidecar/routing/address.ts';
import { Cluster } from '../../../sidecar/routing/cluster.ts';

test.each([
  ['127.0.0.1:80', { isTls: false, service: '', host: '127.0.0.1', port: 80 }],
  ['unix:/run/a@b', { isTls: false, service: '', path: '/run/a@b' }],
  ['tls://127.0.0.1:443', { isTls: true, service: '', host: '127.0.0.1', port: 443 }],
  ['tls://[::1]:443', { isTls: true, service: '', host: '::1', port: 443 }],
  ['tls://shop/payments@10.0.0.1:15006', { isTls: true, service: 'shop/payments', host: '10.0.0.1' }],
  ['tls://shop/payments@unix:/run/x@y', { isTls: true, service: 'shop/payments', path: '/run/x@y' }],
])('%s', (text, expected) => {
  expect(parseUpstreamAddress(text)).toMatchObject(expected);
});

test.each(['tls://', 'tls://a@10.0.0.1:1', 'tls://a/b@', 'tls://a/b@tls://c/d@10.0.0.1:1', 'https://10.0.0.1:1'])(
  '%s is no address',
  (text) => {
    expect(parseUpstreamAddress(text)).toBeUndefined();
  },
);

test('endpoints over TLS are dialled for their service, and discovery cannot name another', () => {
  const cluster = new Cluster({ key: 'shop/payments', random: new XorShift32(1), overTls: true });
  const endpoint = (address: string) => ({ instance: '', zone: '', draining: false, address });
  cluster.updateEndpoints([endpoint('10.0.0.1:1'), endpoint('tls://shop/other@10.0.0.2:1')]);
  expect(cluster.endpoints.map(({ address, dialAddress }) => [address, dialAddress])).toEqual([
    ['10.0.0.1:1', addressOverTls('shop/payments', '10.0.0.1:1')],
  ]);
});
