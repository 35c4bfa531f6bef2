/** What happens when: a binary heap by time; of the same time, in any order. */
export class TimeHeap<T> {
  private readonly times: number[] = [];
  private readonly items: T[] = [];

  /** Infinity when empty. */
  get nextAtMs(): number {
    return this.times[0] ?? Number.POSITIVE_INFINITY;
  }

  push(atMs: number, item: T): void {
    let at = this.times.length;
    this.times.push(atMs);
    this.items.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.times[parent]! <= this.times[at]!) return;
      this.swap(at, parent);
      at = parent;
    }
  }

  pop(): T | undefined {
    const first = this.items[0];
    const lastAtMs = this.times.pop();
    const last = this.items.pop();
    if (last === undefined || lastAtMs === undefined || this.items.length === 0) return first;
    this.times[0] = lastAtMs;
    this.items[0] = last;
    for (let at = 0; ; ) {
      const left = 2 * at + 1;
      if (left >= this.times.length) return first;
      const right = left + 1;
      const child = right < this.times.length && this.times[right]! < this.times[left]! ? right : left;
      if (this.times[at]! <= this.times[child]!) return first;
      this.swap(at, child);
      at = child;
    }
  }

  private swap(a: number, b: number): void {
    const [atMs, item] = [this.times[a]!, this.items[a]!];
    this.times[a] = this.times[b]!;
    this.items[a] = this.items[b]!;
    this.times[b] = atMs;
    this.items[b] = item;
  }
}
