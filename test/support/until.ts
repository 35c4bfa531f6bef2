/**
 * Waiting in tests: poll a condition until it holds or the deadline passes. Never sleep a guessed time: a slow machine
 * then only makes a test slower, not wrong, and a fast one does not wait at all.
 */

export interface UntilOptions {
  /** What is waited for, in the words of the failure: "not so within 5000 ms: the breaker opens". */
  readonly what: string;
  readonly timeoutMs?: number;
  readonly intervalMs?: number;
}

/**
 * Answers the condition's first truthy value. A condition that throws does not hold yet; the last error is the
 * failure's cause.
 */
export async function until<T>(condition: () => T | Promise<T>, options: UntilOptions): Promise<NonNullable<T>> {
  const { what, timeoutMs = 5_000, intervalMs = 10 } = options;
  const deadline = performance.now() + timeoutMs;
  let cause: unknown;
  for (;;) {
    const leftMs = deadline - performance.now();
    if (leftMs <= 0) break;
    try {
      const value = await within(condition, leftMs);
      if (value) return value;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
  const reason = cause instanceof Error ? ` (${cause.message})` : '';
  throw new Error(`not so within ${timeoutMs} ms: ${what}${reason}`, { cause });
}

/** A condition that never answers must not outlive the deadline. */
async function within<T>(condition: () => T | Promise<T>, leftMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the condition did not answer')), leftMs);
  });
  try {
    return await Promise.race([Promise.resolve().then(condition), late]);
  } finally {
    clearTimeout(timer);
  }
}
