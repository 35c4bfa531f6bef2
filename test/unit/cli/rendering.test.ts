/** What people read: columns line up, unknown is never zero, and strangers' names cannot move the cursor. */
import { expect, test } from 'vitest';
import { age, bytes, milliseconds, percent, rate } from '../../../control-plane/cli/numbers.ts';
import { paintFor } from '../../../control-plane/cli/style.ts';
import { renderTable } from '../../../control-plane/cli/table.ts';

test('columns are padded by what is seen, and the last one not at all', () => {
  const table = {
    columns: ['NAME', 'STATE'],
    rows: [
      ['payments', { text: '● closed', style: 'green' as const }],
      ['a', '✕ open'],
    ],
  };
  expect(renderTable(table)).toBe('NAME       STATE\npayments   ● closed\na          ✕ open\n');
});

test('control characters in names become blanks', () => {
  expect(renderTable({ columns: ['NAME'], rows: [['a\u001b[2Jb\nc']] })).toBe('NAME\na [2Jb c\n');
});

test('colour is for terminals only, and NO_COLOR forbids it', () => {
  const output = (isTTY: boolean) => ({ write: () => {}, isTTY });
  expect(paintFor({ env: {} }, output(true))('red', 'x')).toBe('\u001b[31mx\u001b[0m');
  expect(paintFor({ env: { NO_COLOR: '1' } }, output(true))('red', 'x')).toBe('x');
  expect(paintFor({ env: {} }, output(false))('red', 'x')).toBe('x');
});

test('numbers are short, have their unit, and unknown is a dash', () => {
  expect([0, 0.254, 7.44, 182.3, 12_345].map(rate)).toEqual(['0', '0.25', '7.4', '182', '12.3k']);
  expect([1, 0.99999, 0.5, 0].map(percent)).toEqual(['100%', '99.9%', '50.0%', '0.0%']);
  expect([0.42, 9.94, 12.4, 12_345].map(milliseconds)).toEqual(['0.4ms', '9.9ms', '12ms', '12.3s']);
  expect([500, 119_999, 120_000, 7_200_000, 172_800_000].map(age)).toEqual(['0s', '119s', '2m', '2h', '2d']);
  expect([512, 2048, 70 * 1024 ** 2, 3 * 1024 ** 3].map(bytes)).toEqual(['512B', '2KiB', '70MiB', '3.0GiB']);
  expect([rate(null), percent(null), milliseconds(null), age(null), bytes(null)]).toEqual(['–', '–', '–', '–', '–']);
});
