/** The last good answers of a service: the bounds hold whatever is stored, and what is found is what was stored last. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  StaleAnswers,
  type StaleSettings,
  type StoredAnswer,
  variantsMax,
} from '../../../sidecar/resilience/stale-answers.ts';

const settings: StaleSettings = {
  maxAgeMs: 1000,
  entriesMax: 5,
  bytesMax: 4096,
  answerBytesMax: 1000,
  grpcPaths: new Set(['/a.B/C']),
};
const answer = (text: string, more: Partial<StoredAnswer> = {}): StoredAnswer => ({
  vary: [],
  status: 200,
  fields: [],
  body: Buffer.from(text),
  trailers: null,
  storedMs: 0,
  ageMs: 0,
  maxAgeMs: Number.POSITIVE_INFINITY,
  ...more,
});
const nobody = (): string => '';

describe('StaleAnswers', () => {
  it('forget the oldest beyond their bounds, and are as old as their last renewal', () => {
    const answers = new StaleAnswers(settings);
    for (const key of ['a', 'b', 'c', 'd', 'e']) answers.store(key, answer(key));
    answers.store('a', answer('A'));
    answers.store('f', answer('f'));
    expect(['a', 'b', 'c', 'f'].map((key) => answers.find(key, nobody, 0)?.body.toString())).toEqual([
      'A',
      undefined,
      'c',
      'f',
    ]);
    expect(answers.entries).toBe(5);
    answers.reconfigure({ ...settings, entriesMax: 1 });
    expect([answers.entries, answers.find('f', nobody, 0)?.body.toString()]).toEqual([1, 'f']);
  });

  it('keep none that is longer than the bound', () => {
    const answers = new StaleAnswers(settings);
    answers.store('a', answer('x'.repeat(1001)));
    expect([answers.entries, answers.bytes]).toEqual([0, 0]);
  });

  it('are not given beyond the age of the policy or their own, what they were old when they came included', () => {
    const answers = new StaleAnswers(settings);
    answers.store('a', answer('a', { ageMs: 400, storedMs: 100 }));
    answers.store('b', answer('b', { maxAgeMs: 10 }));
    expect([answers.find('a', nobody, 700) !== null, answers.find('a', nobody, 701)]).toEqual([true, null]);
    expect([answers.find('b', nobody, 10) !== null, answers.find('b', nobody, 11)]).toEqual([true, null]);
  });

  it('tell requests apart by the fields that answers vary by, of which few are kept', () => {
    const answers = new StaleAnswers({ ...settings, entriesMax: 100, bytesMax: 1 << 20 });
    for (let i = 0; i <= variantsMax; i++) answers.store('a', answer(`${i}`, { vary: [['x', `${i}`]] }));
    const found = (x: string): string | undefined => answers.find('a', () => x, 0)?.body.toString();
    expect([found('0'), found('1'), found(`${variantsMax}`), found('9000')]).toEqual([undefined, '1', '8', undefined]);
    expect(answers.entries).toBe(variantsMax);
  });

  it('hold what they say they hold, within the bounds, in every order of storing', () => {
    const stored = fc.record({
      key: fc.constantFrom('a', 'b', 'c'),
      bytes: fc.nat(1200),
      x: fc.constantFrom('', '1', '2'),
    });
    fc.assert(
      fc.property(fc.array(stored, { maxLength: 60 }), (all) => {
        const answers = new StaleAnswers(settings);
        for (const { key, bytes, x } of all) {
          const one = answer('y'.repeat(bytes), { vary: [['x', x]] });
          answers.store(key, one);
          expect(answers.entries).toBeLessThanOrEqual(settings.entriesMax);
          expect(answers.bytes).toBeLessThanOrEqual(settings.bytesMax);
        }
        answers.reconfigure({ ...settings, entriesMax: 0 });
        expect([answers.entries, answers.bytes]).toEqual([0, 0]);
      }),
    );
  });
});
