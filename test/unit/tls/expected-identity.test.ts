/** Which certificates prove which service, and which do not. */
import { X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { appIdentity, type ExpectedIdentity, serviceIdentity } from '../../../sidecar/io/tls/expected-identity.ts';
import { isIdentityTemplate } from '../../../sidecar/routing/identity-template.ts';
import { Authority, type CertificateNames } from '../../support/certificates.ts';

const authority = new Authority('mesh');
const proves = (expected: ExpectedIdentity, names: CertificateNames): boolean =>
  expected.problem(new X509Certificate(authority.issue(names).cert).raw) === undefined;

const dns = serviceIdentity('shop/payments', ['{service}.{namespace}.svc.cluster.local']);
const uri = serviceIdentity('shop/payments', ['spiffe://mesh/ns/{namespace}/sa/{service}']);

test.each<[boolean, CertificateNames]>([
  [true, { dns: ['payments.shop.svc.cluster.local'] }],
  [true, { dns: ['x', 'PAYMENTS.shop.svc.cluster.local'] }],
  [true, { dns: ['*.shop.svc.cluster.local'] }],
  [false, { dns: ['*.svc.cluster.local'] }],
  [false, { dns: ['pay*.shop.svc.cluster.local'] }],
  [false, { dns: ['orders.shop.svc.cluster.local'] }],
  [false, { dns: ['payments.shop.svc.cluster.local.evil.example'] }],
  [false, { uris: ['https://payments.shop.svc.cluster.local'] }],
  [false, {}],
])('a DNS template: %s for %j', (isProof, names) => {
  expect(proves(dns, names)).toBe(isProof);
});

test.each<[boolean, CertificateNames]>([
  [true, { dns: ['x'], uris: ['spiffe://mesh/ns/shop/sa/payments'] }],
  [false, { uris: ['spiffe://mesh/ns/shop/sa/payments/'] }],
  [false, { uris: ['spiffe://mesh/ns/shop/sa/Payments'] }],
  [false, { dns: ['payments.shop.svc.cluster.local'] }],
])('a URI template: %s for %j', (isProof, names) => {
  expect(proves(uri, names)).toBe(isProof);
});

test('one of several templates is enough, and "any" is everybody', () => {
  const either = serviceIdentity('shop/payments', ['spiffe://mesh/{service}', '{service}.mesh']);
  expect(proves(either, { dns: ['payments.mesh'] })).toBe(true);
  expect(proves(either, { uris: ['spiffe://mesh/payments'] })).toBe(true);
  expect(proves(either, { dns: ['orders.mesh'] })).toBe(false);
  expect(proves(serviceIdentity('shop/payments', ['any']), {})).toBe(true);
});

test('what is asked for in the handshake is the first DNS name, else the default one', () => {
  expect(dns.serverName).toBe('payments.shop.svc.cluster.local');
  expect(uri.serverName).toBe('payments.shop.svc.cluster.local');
  expect(serviceIdentity('shop/payments', ['spiffe://a/{service}', '{service}.mesh']).serverName).toBe('payments.mesh');
});

test('an app is a name or an IP address', () => {
  expect(proves(appIdentity('127.0.0.1'), { ips: ['127.0.0.1'] })).toBe(true);
  expect(proves(appIdentity('127.0.0.1'), { dns: ['127.0.0.1'] })).toBe(false);
  expect(proves(appIdentity('app.local'), { dns: ['app.local'] })).toBe(true);
  expect([appIdentity('127.0.0.1').serverName, appIdentity('app.local').serverName]).toEqual(['', 'app.local']);
});

test.each([
  [true, '{service}.{namespace}.svc'],
  [true, 'spiffe://mesh/ns/{namespace}/sa/{service}'],
  [true, 'any'],
  [false, 'payments.example'],
  [false, '{service}.{cluster}.local'],
  [false, 'spiffe://mesh/{namespace}'],
  [false, '{service} or {namespace}'],
])('a template is valid: %s for %s', (isValid, text) => {
  expect(isIdentityTemplate(text)).toBe(isValid);
});
