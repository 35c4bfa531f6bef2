/** Whose certificate it is, read from node's one-line form of the alternative names. */
import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { alternativeNames, identityOf } from '../../../sidecar/io/tls/tls-identity.ts';
import { Authority } from '../../support/certificates.ts';

test('the first URI is the identity, else the first DNS name, else nobody', () => {
  expect(identityOf('DNS:a.example, URI:spiffe://mesh/one, URI:spiffe://mesh/two')).toBe('spiffe://mesh/one');
  expect(identityOf('IP Address:127.0.0.1, DNS:a.example, DNS:b.example')).toBe('a.example');
  expect(identityOf('IP Address:127.0.0.1')).toBe('');
  expect(identityOf('')).toBe('');
  expect(identityOf(undefined)).toBe('');
});

test('a name that imitates several is one name', () => {
  expect(alternativeNames('DNS:"a.example, URI:spiffe://mesh/admin", DNS:b')).toEqual([
    { kind: 'DNS', value: 'a.example, URI:spiffe://mesh/admin' },
    { kind: 'DNS', value: 'b' },
  ]);
});

test('an identity of 2,048 characters is taken, a longer one is nobody', () => {
  const uri = (length: number): string => `spiffe://${'x'.repeat(length - 9)}`;
  expect(identityOf(`URI:${uri(2048)}`)).toBe(uri(2048));
  expect(identityOf(`URI:${uri(2049)}`)).toBe('');
});

test('whatever stands in a certificate comes out as it went in', () => {
  const authority = new Authority('x');
  const printable = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(printable, printable, (dns, uri) => {
      const { subjectAltName } = new X509Certificate(authority.issue({ dns: [dns], uris: [uri] }).cert);
      expect(alternativeNames(subjectAltName ?? '')).toEqual([
        { kind: 'DNS', value: dns },
        { kind: 'URI', value: uri },
      ]);
    }),
  );
});
