/** What rate limits cannot say, in every combination of algorithm, window, burst and cost. */
import { describe, expect, it } from 'vitest';
import { parsePolicyDocument } from '../../../proto/policy/parse.ts';
import { policyWith } from './documents.ts';

/** Errors as `pointer below the limit: message`. */
function errorsOf(limit: object): string[] {
  const result = parsePolicyDocument(policyWith({ inbound: { rateLimits: [{ name: 'a', rate: '10/s', ...limit }] } }));
  const at = '/spec/inbound/rateLimits/0';
  return result.ok ? [] : result.errors.map(({ pointer, message }) => `${pointer.replace(at, '')}: ${message}`);
}

const [fixedWindow, slidingWindow, leakyBucket, tokenBucket] = [{}, {}, {}, {}];
const header = { name: 'x-cost', max: 20 };

describe('a rate limit', () => {
  it.each([
    { algorithm: { tokenBucket }, burst: 5 },
    { algorithm: { leakyBucket: { waitMax: '2s', requestsMax: 10 } }, key: { identity: {} } },
    { algorithm: { fixedWindow: { window: '24h' } } },
    { rate: '100/m', algorithm: { slidingWindow } },
    { rate: '1/h', algorithm: { fixedWindow } },
    { rate: '2.5/m', algorithm: { slidingWindow: { window: '2m' } } },
    { cost: { constant: 50 } },
    { cost: { header }, burst: 20 },
    { cost: { constant: 30 }, algorithm: { leakyBucket } },
    { cost: { header: { ...header, default: 10 } }, algorithm: { fixedWindow: { window: '2s' } } },
  ])('may say $0', (limit) => {
    expect(errorsOf(limit)).toEqual([]);
  });

  it.each<[object, string[]]>([
    [
      { algorithm: {} },
      ['/algorithm: must name exactly one of tokenBucket, leakyBucket, fixedWindow or slidingWindow, not nothing'],
    ],
    [{ algorithm: { leakyBucket }, burst: 5 }, ['/burst: a leaky bucket has no burst: requests go on one by one']],
    [{ algorithm: { fixedWindow }, burst: 5 }, ['/burst: a window has no burst: its limit is rate × window']],
    [
      { rate: '2.5/m', algorithm: { slidingWindow } },
      ['/rate: rate × window is 2.5, but a window counts whole requests'],
    ],
    [
      { rate: '1/m', algorithm: { fixedWindow: { window: '1s' } } },
      ['/rate: rate × window is 0.0166667, but a window counts whole requests, at least one'],
    ],
    [
      { burst: 5, cost: { constant: 6 } },
      ['/cost/constant: a request that costs 6 would never be admitted: it is more than burst 5'],
    ],
    [
      { algorithm: { slidingWindow }, cost: { header: { ...header, default: 11 } } },
      [
        '/cost/header/max: a request that costs 20 would never be admitted: it is more than the 10 of a window',
        '/cost/header/default: a request that costs 11 would never be admitted: it is more than the 10 of a window',
      ],
    ],
    [{ cost: { header: { ...header, default: 21 } } }, ['/cost/header/default: the default cost 21 is above max 20']],
    [{ cost: { constant: 0 } }, ['/cost/constant: 0 is outside the allowed range, 1 to 1000000']],
    [
      { cost: { constant: 2, header } },
      ['/cost: must name exactly one of constant or header, not "constant" and "header"'],
    ],
    [
      { algorithm: { leakyBucket: { waitMax: '2m' } } },
      ['/algorithm/leakyBucket/waitMax: "2m" is outside the allowed range, 1ms to 1m'],
    ],
  ])('may not say %o', (limit, errors) => {
    expect(errorsOf(limit)).toEqual(errors);
  });
});
