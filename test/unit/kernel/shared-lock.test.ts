/** The lock between threads; that it excludes is shown by real threads in test/integration/shared-limits.test.ts. */
import { describe, expect, it } from 'vitest';
import { lockOf, SharedLock } from '../../../proto/kernel/shared-lock.ts';

describe('SharedLock', () => {
  it('is none for memory that one thread has alone', () => {
    expect(lockOf(new ArrayBuffer(16), 1)).toBeNull();
    expect(lockOf(new SharedArrayBuffer(16), 1)).toBeInstanceOf(SharedLock);
  });

  it('is taken over from a holder that will never give it back', () => {
    const memory = new SharedArrayBuffer(16);
    const word = new Int32Array(memory);
    new SharedLock(memory, 1).acquire();
    const living = new SharedLock(memory, 2);
    living.acquire();
    expect(word[0]).toBe(2);
    living.release();
    expect(word[0]).toBe(0);
  });
});
