/** Addresses of endpoints and apps: what is one and what is not. */
import { describe, expect, it } from 'vitest';
import { parseAddress } from '../../../sidecar/routing/address.ts';

describe('parseAddress', () => {
  it.each([
    ['127.0.0.1:8080', { host: '127.0.0.1', port: 8080, path: '' }],
    ['payments-0.payments.shop.svc:15006', { host: 'payments-0.payments.shop.svc', port: 15006, path: '' }],
    ['[::1]:80', { host: '::1', port: 80, path: '' }],
    ['[fe80::1%eth0]:65535', { host: 'fe80::1%eth0', port: 65_535, path: '' }],
    ['unix:/run/app.sock', { host: '', port: 0, path: '/run/app.sock' }],
  ])('reads %s', (text, expected) => {
    expect(parseAddress(text)).toEqual(expected);
  });

  it.each([
    '',
    'localhost',
    ':80',
    'host:0',
    'host:65536',
    'host:-1',
    'host:80 ',
    'host:080000',
    '::1:80',
    'a b:80',
    'user@host:80',
    'unix:',
    'unix:relative.sock',
    'unix:/a\u0000b',
    `unix:/${'x'.repeat(107)}`,
    `${'x'.repeat(254)}:80`,
  ])('refuses %j', (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });
});
