/** What a soak takes on its command line, and what it calls back to the start. */
import { describe, expect, test } from 'vitest';
import { parseSoakArguments } from '../../soak/arguments.ts';
import type { Reading } from '../../soak/readings.ts';
import { faults, isQuiet } from '../../soak/verdict.ts';

const before: Reading = {
  heapBytes: 20_000_000,
  rssBytes: 90_000_000,
  handles: 8,
  connections: 0,
  streams: 0,
  bufferedBytes: 0,
  inFlight: 0,
};

describe('the verdict of a soak', () => {
  test('accepts a heap that is up to 5 % larger, or any amount smaller', () => {
    expect(faults('a', before, { ...before, heapBytes: 20_900_000 })).toEqual([]);
    expect(faults('a', before, { ...before, heapBytes: 10_000_000, handles: 7 })).toEqual([]);
  });

  test('names everything that stayed', () => {
    const after = { ...before, heapBytes: 22_000_000, handles: 9, streams: 1, bufferedBytes: 5, inFlight: 2 };
    expect(faults('a', before, after)).toEqual([
      'a: heap 19.1 → 21.0 MiB (+10.0 %)',
      'a: handles 8 → 9',
      'a: streams 1',
      'a: bufferedBytes 5',
      'a: inFlight 2',
    ]);
  });

  test('waits until nothing is open and no handle is left over', () => {
    const most = new Map([['a', 8]]);
    expect(isQuiet([before], most, ['a'])).toBe(true);
    expect(isQuiet([{ ...before, handles: 9 }], most, ['a'])).toBe(false);
    expect(isQuiet([{ ...before, connections: 1 }], most, ['a'])).toBe(false);
    expect(isQuiet([{ ...before, handles: 9 }], new Map(), ['a'])).toBe(true);
  });
});

test('the command line of a soak', () => {
  expect(parseSoakArguments([])).toEqual({ kind: 'run', minutes: 5, json: false });
  expect(parseSoakArguments(['--minutes', '0.5', '--json'])).toEqual({ kind: 'run', minutes: 0.5, json: true });
  expect(parseSoakArguments(['--help'])).toEqual({ kind: 'help' });
  const message = '--minutes 0: a number above 0, up to 1440';
  expect(parseSoakArguments(['--minutes', '0'])).toEqual({ kind: 'refused', message });
});
