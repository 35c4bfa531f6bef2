/** The diff that people read before they apply: applying it to the old text must give the new one. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { diffLines, unifiedDiff } from '../../../control-plane/cli/line-diff.ts';

const names = { before: 'live', after: 'file' };

test('a changed line is shown with three lines around it and its place', () => {
  const before = 'a\nb\nc\nd\ne\nf\ng\nh\ni\n';
  expect(unifiedDiff(before, before.replace('f', 'F'), names)).toBe(
    '--- live\n+++ file\n@@ -3,7 +3,7 @@\n c\n d\n e\n-f\n+F\n g\n h\n i\n',
  );
});

test('equal texts have no diff, and an empty side counts from zero', () => {
  expect(unifiedDiff('a\n', 'a\n', names)).toBe('');
  expect(unifiedDiff('', 'a\nb\n', names)).toBe('--- live\n+++ file\n@@ -0,0 +1,2 @@\n+a\n+b\n');
  expect(unifiedDiff('a\n', '', names)).toBe('--- live\n+++ file\n@@ -1,1 +0,0 @@\n-a\n');
});

test('distant changes become two hunks', () => {
  const lines = Array.from({ length: 30 }, (_, at) => `line ${at}`);
  const after = lines.with(2, 'first').with(25, 'second');
  const hunks = unifiedDiff(lines.join('\n'), after.join('\n'), names).match(/@@.*@@/g);
  expect(hunks).toEqual(['@@ -1,6 +1,6 @@', '@@ -23,7 +23,7 @@']);
});

test('without the added lines it is the old text, without the removed lines the new', () => {
  const text = fc.array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 30 });
  fc.assert(
    fc.property(text, text, (before, after) => {
      const lines = diffLines(before, after);
      expect(lines.filter(({ kind }) => kind !== '+').map((line) => line.text)).toEqual(before);
      expect(lines.filter(({ kind }) => kind !== '-').map((line) => line.text)).toEqual(after);
    }),
  );
});

test('texts that differ more than the bound are shown as replaced', () => {
  const many = (word: string) => Array.from({ length: 1500 }, (_, at) => `${word} ${at}`);
  expect(diffLines(many('a'), many('b'))).toHaveLength(3000);
});
