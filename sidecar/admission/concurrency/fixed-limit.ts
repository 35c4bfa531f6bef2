/** A limit that does not move: for an app whose number of workers is known and stays the same. It learns nothing. */
import type { ConcurrencyLimit } from './concurrency-limit.ts';

export class FixedLimit implements ConcurrencyLimit {
  readonly baseRttMs = 0;
  private readonly requests: number;

  constructor(requests: number) {
    this.requests = requests;
  }

  limit(): number {
    return this.requests;
  }

  onSample(): void {}
}
