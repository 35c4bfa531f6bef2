/** Sizes with binary units, read and written. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatSize, parseSize } from '../../../proto/kernel/size.ts';

describe('parseSize', () => {
  it.each([
    ['0B', 0],
    ['512B', 512],
    ['64KiB', 65_536],
    ['1MiB', 1_048_576],
    ['2GiB', 2_147_483_648],
  ])('reads %s', (text, expected) => {
    expect(parseSize(text)).toBe(expected);
  });

  it.each(['', '1', 'KiB', '1KB', '1.5MiB', '-1B', '1 MiB', '1mib', '12345678901B'])('refuses %j', (text) => {
    expect(parseSize(text)).toBeUndefined();
  });
});

describe('formatSize', () => {
  it('uses the largest unit that divides', () => {
    expect([0, 1000, 1024, 1536, 1_048_576, 3_221_225_472].map(formatSize)).toEqual([
      '0B',
      '1000B',
      '1KiB',
      '1536B',
      '1MiB',
      '3GiB',
    ]);
  });

  it('is read back as the same size', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9_999_999_999 }), (bytes) => {
        expect(parseSize(formatSize(bytes))).toBe(bytes);
      }),
    );
  });
});
