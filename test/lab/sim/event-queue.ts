/**
 * What happens next in simulated time: a binary heap over arrays of numbers. Events at the same time happen in the order
 * in which they were scheduled, so a run is the same each time. An actor is called back with a code of its own, which
 * spares a closure per event.
 */

export interface Actor {
  onEvent(code: number, nowMs: number): void;
}

const initialSize = 1024;

export class EventQueue {
  private times = new Float64Array(initialSize);
  private orders = new Float64Array(initialSize);
  private codes = new Int32Array(initialSize);
  private readonly actors: (Actor | null)[] = [];
  private count = 0;
  private scheduled = 0;

  /** Infinity when nothing is to come. */
  get nextAtMs(): number {
    return this.count === 0 ? Number.POSITIVE_INFINITY : this.times[0]!;
  }

  schedule(atMs: number, actor: Actor, code: number): void {
    if (this.count === this.times.length) this.grow();
    const order = this.scheduled++;
    let at = this.count++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.times[parent]! <= atMs) break;
      this.move(parent, at);
      at = parent;
    }
    this.put(at, atMs, order, code, actor);
  }

  /** Takes the next event and lets it happen. */
  step(): void {
    const nowMs = this.times[0]!;
    const code = this.codes[0]!;
    const actor = this.actors[0]!;
    this.removeFirst();
    actor.onEvent(code, nowMs);
  }

  private removeFirst(): void {
    const last = --this.count;
    const atMs = this.times[last]!;
    const order = this.orders[last]!;
    let at = 0;
    for (let child = 1; child < last; child = 2 * at + 1) {
      if (child + 1 < last && this.isBefore(child + 1, this.times[child]!, this.orders[child]!)) child++;
      if (!this.isBefore(child, atMs, order)) break;
      this.move(child, at);
      at = child;
    }
    this.put(at, atMs, order, this.codes[last]!, this.actors[last]!);
    this.actors[last] = null;
  }

  private isBefore(at: number, atMs: number, order: number): boolean {
    const time = this.times[at]!;
    return time < atMs || (time === atMs && this.orders[at]! < order);
  }

  private move(from: number, to: number): void {
    this.put(to, this.times[from]!, this.orders[from]!, this.codes[from]!, this.actors[from]!);
  }

  private put(at: number, atMs: number, order: number, code: number, actor: Actor): void {
    this.times[at] = atMs;
    this.orders[at] = order;
    this.codes[at] = code;
    this.actors[at] = actor;
  }

  private grow(): void {
    const times = new Float64Array(this.count * 2);
    const orders = new Float64Array(this.count * 2);
    const codes = new Int32Array(this.count * 2);
    times.set(this.times);
    orders.set(this.orders);
    codes.set(this.codes);
    this.times = times;
    this.orders = orders;
    this.codes = codes;
  }
}
