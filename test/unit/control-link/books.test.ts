/** What the link remembers of bundles: newer is taken, older is not, a refused one blocks nothing. */
import { describe, expect, it } from 'vitest';
import type { Applied } from '../../../proto/fleet-messages.ts';
import { BundleBook } from '../../../sidecar/io/control-link/bundle-book.ts';

const target = 'shop/payments';

describe('BundleBook', () => {
  const outcome = (epoch: string, version: number, status: string): Applied => {
    return { target, epoch, version, hash: '', status, message: '' };
  };

  it('takes a higher version and any later epoch for news', () => {
    const book = new BundleBook();
    book.record(outcome('2', 5, 'applied'));
    const news = (epoch: string, version: number) => book.isNews(target, { epoch, version });
    expect([news('2', 6), news('3', 1), news('2', 5), news('2', 4), news('1', 9)]).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });

  it('lets no refused bundle, whatever it claims, shut out later ones', () => {
    const book = new BundleBook();
    book.record(outcome('2', 5, 'applied'));
    book.record(outcome('9', 999, 'rejected'));
    expect(book.isNews(target, { epoch: '2', version: 6 })).toBe(true);
    expect(book.isLast(target, { epoch: '9', version: 999 })).toBe(true);
    expect(book.all()).toEqual([outcome('9', 999, 'rejected')]);
  });
});
