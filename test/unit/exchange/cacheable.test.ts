/** What a shared cache may keep and give: everything that is said against it is obeyed. */
import { describe, expect, it } from 'vitest';
import { ageMsOf, keptAnswer, mayUseCache, ownMaxAgeMs, variesBy } from '../../../sidecar/exchange/cacheable.ts';
import { HeaderList } from '../../../sidecar/http2/hpack/field.ts';

type Fields = [string, string][];
const request = (fields: Fields = [], method = 'GET'): HeaderList =>
  HeaderList.of([[':method', method], [':scheme', 'http'], [':path', '/'], [':authority', 'a'], ...fields]);
const answer = (fields: Fields = [], status = '200'): HeaderList => HeaderList.of([[':status', status], ...fields]);

describe('a request may be answered from the cache', () => {
  it.each<[string, HeaderList, boolean]>([
    ['when it is a GET', request(), true],
    ['when it is a HEAD', request([], 'HEAD'), true],
    ['not when it is a POST', request([], 'POST'), false],
    ['not when it wants a part', request([['range', 'bytes=0-1']]), false],
    ['not when it wants a fresh one', request([['cache-control', 'max-age=0, No-Cache']]), false],
    ['not when it forbids storing', request([['cache-control', 'no-store']]), false],
    ['not when it is old-fashioned about that', request([['pragma', 'no-cache']]), false],
  ])('%s', (_, list, expected) => expect(mayUseCache(list)).toBe(expected));
});

describe('an answer is kept', () => {
  const personal: Fields = [['cookie', 'a=b']];
  it.each<[string, HeaderList, HeaderList, boolean]>([
    ['when nothing is against it', request(), answer(), true],
    ['not when it is an error', request(), answer([], '404'), false],
    ['not when it is a part', request(), answer([], '206'), false],
    ['not when it is no-store', request(), answer([['cache-control', 'no-store']]), false],
    ['not when it must be fresh for shared caches', request(), answer([['cache-control', 's-maxage=5']]), false],
    [
      'not when one of several fields says private',
      request(),
      answer([
        ['cache-control', 'public'],
        ['cache-control', 'private="x"'],
      ]),
      false,
    ],
    ['not when it varies by everything', request(), answer([['vary', 'a, *']]), false],
    ['not when it is a fallback itself', request(), answer([['weir-fallback', 'static']]), false],
    ['not when the request shows credentials', request(personal), answer(), false],
    ['when it is public for who shows credentials', request(personal), answer([['cache-control', 'public']]), true],
  ])('%s', (_, asked, list, expected) => expect(keptAnswer(asked, list) !== null).toBe(expected));

  it('with what it varies by, in any order and case, and without what belongs to one answer', () => {
    const asked = request([
      ['b', '1'],
      ['b', '2'],
    ]);
    expect(
      variesBy(
        asked,
        answer([
          ['vary', 'B, a'],
          ['vary', 'a'],
        ]),
      ),
    ).toEqual([
      ['a', ''],
      ['b', '1, 2'],
    ]);
    expect(
      keptAnswer(
        asked,
        answer([
          ['age', '3'],
          ['etag', '"x"'],
          ['weir-level', '1'],
        ]),
      )?.fields,
    ).toEqual([['etag', '"x"']]);
  });

  it('for as long as it says itself', () => {
    expect(ownMaxAgeMs(answer([['cache-control', 'max-age=10, stale-if-error=20']]))).toBe(30_000);
    expect(ownMaxAgeMs(answer([['cache-control', 'max-age=10']]))).toBe(Number.POSITIVE_INFINITY);
    expect([ageMsOf(answer([['age', '12']])), ageMsOf(answer([['age', 'old']]))]).toEqual([12_000, 0]);
  });
});
