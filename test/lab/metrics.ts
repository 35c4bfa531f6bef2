/** The measures of the table, on recordings: goodput, recovery, waste. */
import { binMs, type CallerRecord, type Recording, sum } from './recording.ts';

/** A share of good answers in [fromMs, toMs). */
export type ShareAt = (fromMs: number, toMs: number) => number;

/** Good answers a second in [fromMs, toMs), as a share of what could be had: the capacity, or what was asked for. */
export function goodput(record: CallerRecord, capacityRps: number, fromMs: number, toMs: number): number {
  const possible = (capacityRps * (toMs - fromMs)) / 1000;
  return sum(record.good, fromMs, toMs) / Math.min(possible, sum(record.offered, fromMs, toMs));
}

/** The share of what was asked in that time that got a good answer. */
export function success(record: CallerRecord, fromMs: number, toMs: number): number {
  return sum(record.goodByArrival, fromMs, toMs) / sum(record.offered, fromMs, toMs);
}

export function successOver(record: CallerRecord): ShareAt {
  const offered = sums(record.offered);
  const good = sums(record.goodByArrival);
  return (fromMs, toMs) => between(good, fromMs, toMs) / between(offered, fromMs, toMs);
}

export function shareOfCapacity(good: Float64Array, capacityRps: number): ShareAt {
  const sumsOfGood = sums(good);
  return (fromMs, toMs) => between(sumsOfGood, fromMs, toMs) / ((capacityRps * (toMs - fromMs)) / 1000);
}

/** The mean over several repetitions, each timed from its own begin. */
export function meanShare(good: Float64Array, begins: readonly number[], capacityRps: number): ShareAt {
  const share = shareOfCapacity(good, capacityRps);
  return (fromMs, toMs) =>
    begins.reduce((total, beginMs) => total + share(beginMs + fromMs, beginMs + toMs), 0) / begins.length;
}

const firstMs = 500;
const holdsMs = 2000;

/**
 * Recovery: ms from `fromMs` to the first 500 ms that are at least as good as `share`, and which hold: the 2 s from there
 * are as good on average. The average, since in 500 ms chance alone moves a few hundred answers by 5 %. NaN when it never
 * comes.
 */
export function recoveryMs(shareAt: ShareAt, share: number, fromMs: number, untilMs: number): number {
  for (let atMs = fromMs; atMs + holdsMs <= untilMs; atMs += binMs) {
    if (shareAt(atMs, atMs + firstMs) >= share && shareAt(atMs, atMs + holdsMs) >= share) return atMs - fromMs;
  }
  return Number.NaN;
}

/** The least of all spans of that length. */
export function worstSpan(shareAt: ShareAt, spanMs: number, fromMs: number, toMs: number): number {
  let worst = Number.POSITIVE_INFINITY;
  for (let atMs = fromMs; atMs + spanMs <= toMs; atMs += binMs) worst = Math.min(worst, shareAt(atMs, atMs + spanMs));
  return worst;
}

export interface WasteOptions {
  /** Pieces of the app's work that one good answer takes. */
  readonly perRequest?: number;
  readonly fromMs?: number;
}

/** The share of a service's finished work that did nobody any good. */
export function wasted(
  recording: Recording,
  service: string,
  callers: readonly string[],
  { perRequest = 1, fromMs = 0 }: WasteOptions = {},
): number {
  const done = sum(recording.service(service).finished, fromMs);
  const used = callers.reduce((total, name) => total + sum(recording.caller(name).good, fromMs) * perRequest, 0);
  return done === 0 ? 0 : Math.max(0, 1 - used / done);
}

/** What never came is worse than anything. */
export function median(values: readonly number[]): number {
  const known = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  return known[(values.length - 1) >> 1] ?? Number.NaN;
}

/** Of all bins before each. */
function sums(counts: Float64Array): Float64Array {
  const all = new Float64Array(counts.length + 1);
  for (let i = 0; i < counts.length; i++) all[i + 1] = all[i]! + counts[i]!;
  return all;
}

function between(all: Float64Array, fromMs: number, toMs: number): number {
  const last = all.length - 1;
  return all[Math.min(last, Math.round(toMs / binMs))]! - all[Math.min(last, Math.round(fromMs / binMs))]!;
}
