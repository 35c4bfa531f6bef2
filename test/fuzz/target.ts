/** What is fuzzed: something that takes bytes, throws when a law is broken, and says what was new about it. */
import type { Random } from '../../proto/kernel/random.ts';

/** Collects what an input made happen. Inputs that make something new happen are kept and changed further. */
export class Features {
  readonly seen = new Set<string>();
  private last = '';

  /** One event; what counts is which two come in a row. */
  add(event: string): void {
    this.seen.add(event);
    this.seen.add(`${this.last}>${event}`);
    this.last = event;
  }

  clear(): void {
    this.seen.clear();
    this.last = '';
  }
}

export interface Target {
  readonly name: string;
  /** Where the corpus begins when there is none. */
  seeds(): Buffer[];
  /** Throws, or rejects, on a finding. */
  run(input: Buffer, features: Features): void | Promise<void>;
  /** A changed copy; `other` is another input of the corpus. */
  mutate(input: Buffer, other: Buffer, random: Random): Buffer;
  /** Parts of an input that can be left out, as [start, end), largest first: for making a finding smaller. */
  parts(input: Buffer): [start: number, end: number][];
  close(): Promise<void>;
}

/** No input is longer; what matters shows in less. */
export const inputBytesMax = 16_384;
