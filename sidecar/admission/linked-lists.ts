/**
 * Several doubly linked lists over the same numbered items, each item in one of them at most. All of it is integers in
 * typed arrays, so that every change is O(1) and allocates nothing once the arrays have grown.
 */
export const none = -1;

export class LinkedLists {
  private heads: Int32Array<ArrayBuffer>;
  private tails: Int32Array<ArrayBuffer>;
  private nexts: Int32Array<ArrayBuffer>;
  private prevs: Int32Array<ArrayBuffer>;

  constructor(lists: number, items: number) {
    this.heads = new Int32Array(lists).fill(none);
    this.tails = new Int32Array(lists).fill(none);
    this.nexts = new Int32Array(items);
    this.prevs = new Int32Array(items);
  }

  get listCount(): number {
    return this.heads.length;
  }

  first(list: number): number {
    return this.heads[list]!;
  }

  last(list: number): number {
    return this.tails[list]!;
  }

  next(item: number): number {
    return this.nexts[item]!;
  }

  prev(item: number): number {
    return this.prevs[item]!;
  }

  append(list: number, item: number): void {
    const last = this.tails[list]!;
    this.nexts[item] = none;
    this.prevs[item] = last;
    if (last === none) this.heads[list] = item;
    else this.nexts[last] = item;
    this.tails[list] = item;
  }

  /** `item` has to be in that list. */
  remove(list: number, item: number): void {
    const before = this.prevs[item]!;
    const after = this.nexts[item]!;
    if (before === none) this.heads[list] = after;
    else this.nexts[before] = after;
    if (after === none) this.tails[list] = before;
    else this.prevs[after] = before;
  }

  /** At least so many lists; more, so that growing one by one is cheap. */
  growLists(count: number): void {
    if (count <= this.heads.length) return;
    const from = this.heads.length;
    const length = Math.max(count, from * 2);
    this.heads = grown(this.heads, length).fill(none, from);
    this.tails = grown(this.tails, length).fill(none, from);
  }

  growItems(count: number): void {
    if (count <= this.nexts.length) return;
    this.nexts = grown(this.nexts, count);
    this.prevs = grown(this.prevs, count);
  }
}

export function grown(array: Int32Array<ArrayBuffer>, length: number): Int32Array<ArrayBuffer> {
  const longer = new Int32Array(length);
  longer.set(array);
  return longer;
}
