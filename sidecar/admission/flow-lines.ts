/**
 * In which order those of one flow are served: first come first served, or newest first; and where user levels count, the
 * most important level first, so that a queue which cannot serve all gives up on the same users that the level
 * (level-control.ts) would refuse, and the parts of one request stand together in it, be served or shed together.
 *
 *   flow f:   level 0 ▪▪   level 3 ▪   level 90 ▪▪▪       one list each; a bit for each list that somebody is in
 *
 * Every change is O(1); to find the first or last level costs four words.
 */
import { userLevelCount } from '../../proto/tiers.ts';
import { grown, LinkedLists, none } from './linked-lists.ts';

/** The parts of one request come within so long. */
export const togetherMs = 2;
const bitsPerWord = 32;
const words = userLevelCount / bitsPerWord;

export class FlowLines {
  /** Whether user levels count; else all are of level 0. */
  readonly isByLevel: boolean;
  private readonly levels: number;
  private readonly lists: LinkedLists;
  /** By flow; empty where levels do not count. */
  private present: Int32Array<ArrayBuffer>;
  /** By flow: of whom was served last, the level, and until when those who came are served with it. */
  private servedLevel: Int32Array<ArrayBuffer>;
  private servedUntilMs: Float64Array<ArrayBuffer>;

  constructor(isByLevel: boolean, flows: number, slots: number) {
    this.isByLevel = isByLevel;
    this.levels = isByLevel ? userLevelCount : 1;
    this.lists = new LinkedLists(flows * this.levels, slots);
    this.present = new Int32Array(isByLevel ? flows * words : 0);
    this.servedLevel = new Int32Array(isByLevel ? flows : 0);
    this.servedUntilMs = new Float64Array(isByLevel ? flows : 0);
  }

  append(flow: number, level: number, slot: number): void {
    if (this.isByLevel) this.present[flow * words + (level >>> 5)]! |= 1 << (level & 31);
    this.lists.append(this.listOf(flow, level), slot);
  }

  remove(flow: number, level: number, slot: number): void {
    const list = this.listOf(flow, level);
    this.lists.remove(list, slot);
    if (this.isByLevel && this.lists.first(list) === none) {
      this.present[flow * words + (level >>> 5)]! &= ~(1 << (level & 31));
    }
  }

  /** Of the most important level; none when nobody waits. */
  first(flow: number, newestFirst: boolean): number {
    const level = this.firstLevel(flow);
    if (level === none) return none;
    const list = this.listOf(flow, level);
    return newestFirst ? this.lists.last(list) : this.lists.first(list);
  }

  /** One that came then is served. */
  served(flow: number, level: number, enteredMs: number): void {
    if (!this.isByLevel) return;
    if (level === this.servedLevel[flow] && enteredMs <= this.servedUntilMs[flow]!) return;
    this.servedLevel[flow] = level;
    this.servedUntilMs[flow] = enteredMs + togetherMs;
  }

  /** Who may have come with the one that was served last: the oldest of its level, if it came by then; else none. */
  companion(flow: number, enteredMs: Float64Array): number {
    if (!this.isByLevel) return none;
    const slot = this.lists.first(this.listOf(flow, this.servedLevel[flow]!));
    return slot !== none && enteredMs[slot]! <= this.servedUntilMs[flow]! ? slot : none;
  }

  /** Who would be served after all others; none when nobody waits. */
  last(flow: number, newestFirst: boolean): number {
    return this.endOf(flow, this.lastLevel(flow, userLevelCount - 1), newestFirst);
  }

  /** Who would be served just before that one; none when nobody would. */
  before(flow: number, level: number, slot: number, newestFirst: boolean): number {
    const beside = newestFirst ? this.lists.next(slot) : this.lists.prev(slot);
    return beside !== none ? beside : this.endOf(flow, this.lastLevel(flow, level - 1), newestFirst);
  }

  growFlows(flows: number): void {
    this.lists.growLists(flows * this.levels);
    if (!this.isByLevel || flows <= this.servedLevel.length) return;
    const count = Math.max(flows, 2 * this.servedLevel.length);
    this.present = grown(this.present, count * words);
    this.servedLevel = grown(this.servedLevel, count);
    const untilMs = new Float64Array(count);
    untilMs.set(this.servedUntilMs);
    this.servedUntilMs = untilMs;
  }

  growSlots(slots: number): void {
    this.lists.growItems(slots);
  }

  private listOf(flow: number, level: number): number {
    return this.isByLevel ? flow * userLevelCount + level : flow;
  }

  private endOf(flow: number, level: number, newestFirst: boolean): number {
    if (level === none) return none;
    const list = this.listOf(flow, level);
    return newestFirst ? this.lists.first(list) : this.lists.last(list);
  }

  private firstLevel(flow: number): number {
    if (!this.isByLevel) return 0;
    for (let word = 0; word < words; word++) {
      const bits = this.present[flow * words + word]!;
      if (bits !== 0) return word * bitsPerWord + bitsPerWord - 1 - Math.clz32(bits & -bits);
    }
    return none;
  }

  /** The last one at or before `level`. */
  private lastLevel(flow: number, level: number): number {
    if (!this.isByLevel) return level < 0 ? none : 0;
    if (level < 0) return none;
    let word = level >>> 5;
    let bits = this.present[flow * words + word]! & (-1 >>> (31 - (level & 31)));
    while (bits === 0 && word > 0) bits = this.present[flow * words + --word]!;
    return bits === 0 ? none : word * bitsPerWord + bitsPerWord - 1 - Math.clz32(bits);
  }
}
