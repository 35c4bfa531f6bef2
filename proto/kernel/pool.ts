/**
 * Objects that are done with and may be used again. What lives for as long as a request does outlasts the collector's
 * nursery when requests are many, and then costs a full collection; used again, it costs nothing.
 *
 * Whoever gives an object back must be the last to hold it, and has cleared it: an idle object keeps nothing alive.
 */
export class Pool<T> {
  private readonly idle: T[] = [];
  private readonly idleMax: number;

  /** `idleMax`: so many wait for their next use; the rest is left to the collector. */
  constructor(idleMax: number) {
    this.idleMax = idleMax;
  }

  get size(): number {
    return this.idle.length;
  }

  take(): T | undefined {
    return this.idle.pop();
  }

  give(item: T): void {
    if (this.idle.length < this.idleMax) this.idle.push(item);
  }
}
