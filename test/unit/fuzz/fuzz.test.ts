/**
 * What the fuzzer kept, run again: inputs that once showed something new, and those that once broke a law. The corpus of
 * `http1` needs real sockets and is replayed in test/integration.
 */
import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseFuzzArguments } from '../../fuzz/arguments.ts';
import { ConnectionTarget } from '../../fuzz/connection-target.ts';
import { corpusFilesMax, corpusInputBytesMax, readCorpus } from '../../fuzz/corpus.ts';
import { FuzzLoop } from '../../fuzz/fuzz-loop.ts';
import { HpackTarget } from '../../fuzz/hpack-target.ts';
import { byteParts } from '../../fuzz/mutate.ts';
import { Features, type Target } from '../../fuzz/target.ts';

describe.each([['connection', new ConnectionTarget()] as const, ['hpack', new HpackTarget()] as const])(
  'the corpus of %s',
  (name, target) => {
    test('breaks no law', async () => {
      const inputs = readCorpus(name);
      expect(inputs.length).toBeGreaterThan(10);
      expect(inputs.length).toBeLessThanOrEqual(corpusFilesMax);
      expect(Math.max(...inputs.map(({ length }) => length))).toBeLessThanOrEqual(corpusInputBytesMax);
      for (const input of inputs) await target.run(input, new Features());
    });
  },
);

test('the whole corpus stays small', () => {
  const folder = new URL('../../fuzz/corpus', import.meta.url);
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  expect(files.length).toBeLessThanOrEqual(300);
});

/** Breaks when the bytes hold 0x42 behind 0x41, however far. */
class BrokenTarget implements Target {
  readonly name = 'broken';

  seeds(): Buffer[] {
    return [Buffer.from('AAAA')];
  }

  run(input: Buffer, features: Features): void {
    features.add(String(input.length));
    const at = input.indexOf('A');
    if (at >= 0 && input.includes('B', at)) throw new Error(`a law is broken at ${at}`);
  }

  mutate(input: Buffer): Buffer {
    return Buffer.concat([Buffer.from('xxx'), input, Buffer.from('yyBy')]);
  }

  parts(input: Buffer): [number, number][] {
    return byteParts(input.length, 0);
  }

  async close(): Promise<void> {}
}

describe('FuzzLoop', () => {
  test('finds what breaks, and makes it as small as it gets', async () => {
    const loop = new FuzzLoop(new BrokenTarget(), 1);
    expect(await loop.begin([])).toBeNull();
    const finding = await loop.step();
    expect(finding?.message).toBe('a law is broken at 3');
    expect((await loop.minimise(finding!)).input.toString()).toBe('AB');
  });

  test('takes the same course with the same seed', async () => {
    const course = async (seed: number): Promise<number[]> => {
      const loop = new FuzzLoop(new HpackTarget(), seed);
      await loop.begin([]);
      for (let i = 0; i < 200; i++) expect(await loop.step()).toBeNull();
      return [loop.inputCount, loop.featureCount];
    };
    expect(await course(7)).toEqual(await course(7));
    expect(await course(8)).not.toEqual(await course(7));
  });

  test('distils inputs to the few that show all there is', async () => {
    const loop = new FuzzLoop(new HpackTarget(), 3);
    await loop.begin([]);
    for (let i = 0; i < 300; i++) await loop.step();
    const few = await loop.distil(1000, 2048);
    expect(few.length).toBeGreaterThan(0);
    expect(few.length).toBeLessThanOrEqual(loop.inputCount);
  });
});

describe('the command line of the fuzzer', () => {
  test('takes all it knows', () => {
    expect(parseFuzzArguments(['--seconds', '5', '--target', 'hpack', '--seed', '9', '--keep'], 1)).toEqual({
      kind: 'run',
      options: { seconds: 5, targets: ['hpack'], seed: 9, keep: true },
    });
    expect(parseFuzzArguments([], 4)).toMatchObject({ options: { seconds: 60, seed: 4, keep: false } });
  });

  test.each([
    [['--seconds', '0'], '--seconds 0: a whole number from 1 to 86400'],
    [['--target', 'tls'], '--target tls: one of connection, hpack, http1'],
    [['--seed', 'x'], '--seed x: a whole number'],
  ])('refuses %s', (args, message) => {
    expect(parseFuzzArguments(args, 1)).toEqual({ kind: 'refused', message });
  });
});
