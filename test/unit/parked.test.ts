/** The wire form of a parked request. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeParked, encodeParked, parkedHeaderMax } from '../../proto/parked.ts';
import { parkedRequest } from '../support/parked-request.ts';

describe('a parked request', () => {
  it('comes back as it was, and goes through a header of NATS', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (path, value) => {
        const request = { ...parkedRequest, path, headers: [['x-a', value]] as const };
        const text = encodeParked(request);
        expect(text).toMatch(/^[ -~]*$/);
        expect(decodeParked(text)).toEqual(request);
      }),
    );
  });

  it('is read with fields that we do not know, and not without one that we need', () => {
    expect(decodeParked(JSON.stringify({ ...parkedRequest, later: 1 }))).toMatchObject({ reference: 'r-0' });
    for (const name of Object.keys(parkedRequest)) {
      expect(decodeParked(JSON.stringify({ ...parkedRequest, [name]: null })), name).toBeUndefined();
    }
    const death = { reason: 'expired', answer: '', deliveries: 1, atMs: 1, instance: 'a' };
    expect(decodeParked(encodeParked({ ...parkedRequest, death }))?.death).toEqual(death);
    expect(decodeParked(JSON.stringify({ ...parkedRequest, death: { ...death, atMs: '1' } }))).toBeUndefined();
  });

  it('is none when it is no JSON, or too long', () => {
    expect([decodeParked(''), decodeParked('{'), decodeParked('[]'), decodeParked('null')]).toEqual(
      Array(4).fill(undefined),
    );
    expect(decodeParked(encodeParked({ ...parkedRequest, path: 'x'.repeat(parkedHeaderMax) }))).toBeUndefined();
  });
});
