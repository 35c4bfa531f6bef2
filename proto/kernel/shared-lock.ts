/**
 * Mutual exclusion between threads over a word of shared memory, for the short moments in which a limiter reads and
 * writes its numbers: some hundred nanoseconds, never while anything is called back. One lock and plain numbers keep
 * the limiters' arithmetic the same in one thread and in many. (Compare-and-swap on a 64-bit cell would spare the lock
 * in the simplest limiter, but a BigInt64Array allocates for every request and measured 36 ns to the lock's 19; 32-bit
 * cells took 10 ns but cannot hold a time that is both exact and far from wrapping.)
 *
 * A thread that was killed inside can never give the lock back. Who has waited through `breakAfter` naps takes it over:
 * the naps count only while the waiter runs, so a machine that stood still breaks no lock.
 *
 * The word is the first of the memory, so numbers begin at byte `lockBytes`.
 */
export const lockBytes = 8;

const free = 0;
const spinsBeforeNap = 2_000;
const napMs = 1;
const breakAfter = 200;

export class SharedLock {
  private readonly word: Int32Array;
  /** Above 0, another for each thread. */
  private readonly owner: number;

  constructor(memory: SharedArrayBuffer, owner: number) {
    this.word = new Int32Array(memory, 0, 1);
    this.owner = owner;
  }

  acquire(): void {
    if (Atomics.compareExchange(this.word, 0, free, this.owner) !== free) this.wait();
  }

  release(): void {
    Atomics.store(this.word, 0, free);
  }

  private wait(): void {
    const { word, owner } = this;
    for (let naps = 0; ; naps++) {
      for (let spin = 0; spin < spinsBeforeNap; spin++) {
        if (Atomics.load(word, 0) === free && Atomics.compareExchange(word, 0, free, owner) === free) return;
      }
      const holder = Atomics.load(word, 0);
      if (naps >= breakAfter && holder !== free && Atomics.compareExchange(word, 0, holder, owner) === holder) return;
      // Nobody notifies: the holder would pay for it every time, and naps are short.
      if (holder !== free) Atomics.wait(word, 0, holder, napMs);
    }
  }
}

/** null where the memory belongs to one thread alone, which then pays nothing. */
export function lockOf(memory: ArrayBufferLike, owner: number): SharedLock | null {
  return memory instanceof SharedArrayBuffer ? new SharedLock(memory, owner) : null;
}
