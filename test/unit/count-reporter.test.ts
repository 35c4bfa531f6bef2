/** The last line of a test run must be true above all when the run went wrong. */
import { expect, test } from 'vitest';
import { count, summary } from '../support/count-reporter.ts';

test('the summary counts tests over all files and names skipped ones only when there are some', () => {
  const counts = count(
    [
      { tests: ['passed', 'passed'], errorCount: 0 },
      { tests: ['failed', 'skipped'], errorCount: 0 },
    ],
    0,
  );
  expect(summary(counts)).toBe('2 passed, 1 failed, 1 skipped');
  expect(summary(count([{ tests: ['passed'], errorCount: 0 }], 0))).toBe('1 passed, 0 failed');
});

test('a file that did not load, a broken hook, a stray rejection and a test that never ran count as failed', () => {
  expect(summary(count([{ tests: [], errorCount: 1 }], 0))).toBe('0 passed, 1 failed');
  expect(summary(count([{ tests: ['passed'], errorCount: 0 }], 1))).toBe('1 passed, 1 failed');
  expect(summary(count([{ tests: ['pending'], errorCount: 0 }], 0))).toBe('0 passed, 1 failed');
});
