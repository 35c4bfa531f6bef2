/** Counts what the load did, and how many of it are under way: the load waits rather than piling up. */

const underWayMax = 150;

export class Tally {
  ok = 0;
  /** Ended as they were meant to: cancelled, past their deadline, told to fail. */
  broken = 0;
  /** Anything that was not meant. */
  readonly failures = new Map<string, number>();
  underWay = 0;

  get failed(): number {
    let sum = 0;
    for (const count of this.failures.values()) sum += count;
    return sum;
  }

  /** Starts it unless too much is under way; a rejection is a failure by its message. */
  start(what: string, action: () => Promise<'ok' | 'broken'>): void {
    if (this.underWay >= underWayMax) return;
    this.underWay++;
    action().then(
      (end) => {
        this.underWay--;
        if (end === 'ok') this.ok++;
        else this.broken++;
      },
      (error: unknown) => {
        this.underWay--;
        const key = `${what}: ${error instanceof Error ? error.message : String(error)}`.slice(0, 160);
        if (this.failures.size < 50 || this.failures.has(key)) {
          this.failures.set(key, (this.failures.get(key) ?? 0) + 1);
        }
      },
    );
  }
}
