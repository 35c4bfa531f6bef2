/**
 * Ends a test run with one line for machines: `12 passed, 0 failed, 1 skipped`. Written as the process exits, because
 * vitest itself may still say something after the last test. What never ran because its file, its suite's hooks or a
 * stray promise broke counts as failed: a crash must not look like a smaller, greener run.
 */
import type { Reporter, SerializedError, TestModule } from 'vitest/node';

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

export function summary({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/** The part of vitest's module that is counted. */
export interface CountedModule {
  readonly tests: Iterable<'passed' | 'failed' | 'skipped' | 'pending'>;
  /** Errors outside any test: the file did not load, or a hook failed. */
  readonly errorCount: number;
}

export function count(modules: Iterable<CountedModule>, strayErrors: number): Counts {
  const counts: Counts = { passed: 0, failed: strayErrors, skipped: 0 };
  for (const { tests, errorCount } of modules) {
    counts.failed += errorCount;
    for (const state of tests) counts[state === 'pending' ? 'failed' : state] += 1;
  }
  return counts;
}

export default class CountReporter implements Reporter {
  private counts: Counts | undefined;

  onInit(): void {
    process.once('exit', (code) => {
      const counts = this.counts ?? { passed: 0, failed: 1, skipped: 0 };
      if (code === 0 && counts.failed > 0) process.exitCode = 1;
      if (code !== 0 && counts.failed === 0) counts.failed = 1;
      process.stdout.write(`${summary(counts)}\n`);
    });
  }

  onTestRunEnd(modules: readonly TestModule[], strayErrors: readonly SerializedError[]): void {
    this.counts = count(modules.map(countedModule), strayErrors.length);
  }
}

function countedModule(module: TestModule): CountedModule {
  let errorCount = module.errors().length;
  for (const suite of module.children.allSuites()) errorCount += suite.errors().length;
  return { tests: [...module.children.allTests()].map((test) => test.result().state), errorCount };
}
