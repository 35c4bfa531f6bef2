/** From authority to service: every form, hostile text, and a cache that does not grow. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseServiceKey } from '../../../proto/subjects.ts';
import { AuthorityMap } from '../../../sidecar/routing/authority.ts';

describe('AuthorityMap', () => {
  const map = new AuthorityMap({ namespace: 'shop' });

  it.each([
    ['payments', 'shop/payments'],
    ['payments:50051', 'shop/payments'],
    ['payments.bank', 'bank/payments'],
    ['payments.bank.svc', 'bank/payments'],
    ['payments.bank.svc.cluster.local', 'bank/payments'],
    ['payments.bank.svc.cluster.local.', 'bank/payments'],
    ['PAYMENTS.Bank:443', 'bank/payments'],
    // Twice: from the rules and from the cache.
    ['payments', 'shop/payments'],
  ])('knows %s as %s', (authority, key) => {
    expect(map.resolve(authority)).toBe(key);
  });

  it.each([
    '',
    ':50051',
    '.',
    'localhost:8080',
    '127.0.0.1:8080',
    '[::1]:8080',
    'payments.bank.pod',
    'payments.bank.svc.cluster',
    'payments.bank.svc.example.com',
    'api.example.com',
    'user@payments',
    '-payments',
    'pay ments',
    'pay_ments',
    'payments..svc',
    'payments/../bank',
    'x'.repeat(64),
    'x'.repeat(300),
    '__proto__',
  ])('knows no service by %j', (authority) => {
    expect(map.resolve(authority)).toBeUndefined();
  });

  it('lets explicit entries win, the one with the port first', () => {
    const explicit = new Map([
      ['payments', 'bank/payments'],
      ['payments:9', 'bank/ledger'],
      ['api.Example.com', 'shop/api'],
      ['127.0.0.1:7000', 'shop/local'],
      ['localhost', 'shop/here'],
    ]);
    const own = new AuthorityMap({ namespace: 'shop', explicit });
    expect(
      ['payments', 'payments:8', 'payments:9', 'API.example.com:443', '127.0.0.1:7000', 'localhost:1', 'orders'].map(
        (a) => own.resolve(a),
      ),
    ).toEqual(['bank/payments', 'bank/payments', 'bank/ledger', 'shop/api', 'shop/local', 'shop/here', 'shop/orders']);
  });

  it('does not grow with what a stranger sends', () => {
    const own = new AuthorityMap({ namespace: 'shop' });
    for (let i = 0; i < 5000; i++) {
      own.resolve(`stranger-${i}`);
      own.resolve(`not a name ${i}`);
    }
    expect(own.cached).toBeLessThanOrEqual(1024);
    expect(own.resolve('payments')).toBe('shop/payments');
  });

  it('answers with a service key or nothing, whatever the text', () => {
    const alphabet = fc.string({ unit: fc.constantFrom('a', 'b', '.', ':', '8', '-', '/', 'svc', 'local', 'é', ' ') });
    fc.assert(
      fc.property(alphabet, (authority) => {
        const key = map.resolve(authority);
        if (key !== undefined) expect(parseServiceKey(key)).toBeDefined();
      }),
    );
  });
});
