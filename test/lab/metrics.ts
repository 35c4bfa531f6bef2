/** The measures of the table, on recordings: goodput, recovery, waste. */
import { binMs, type CallerRecord, type Recording, sum } from './recording.ts';

/** Good answers a second in [fromMs, toMs), as a share of what could be had: the capacity, or what was asked for. */
export function goodput(record: CallerRecord, capacityRps: number, fromMs: number, toMs: number): number {
  const possible = (capacityRps * (toMs - fromMs)) / 1000;
  return sum(record.good, fromMs, toMs) / Math.min(possible, sum(record.offered, fromMs, toMs));
}

/** The share of what was asked in that time that got a good answer. */
export function success(record: CallerRecord, fromMs: number, toMs: number): number {
  return sum(record.goodByArrival, fromMs, toMs) / sum(record.offered, fromMs, toMs);
}

const firstMs = 500;
const holdsMs = 2000;

/**
 * Recovery: ms from `fromMs` to the first 500 ms in which `shareAt(from, to)` is at least `share`, and which hold: the 2 s
 * from there are as good on average. The average, since in 500 ms chance alone moves a few hundred answers by 5 %. NaN
 * when it never comes.
 */
export function recoveryMs(
  shareAt: (fromMs: number, toMs: number) => number,
  share: number,
  fromMs: number,
  untilMs: number,
): number {
  for (let atMs = fromMs; atMs + holdsMs <= untilMs; atMs += binMs) {
    if (shareAt(atMs, atMs + firstMs) >= share && shareAt(atMs, atMs + holdsMs) >= share) return atMs - fromMs;
  }
  return Number.NaN;
}

/** The least of `shareAt` over all spans of that length. */
export function worstSpan(
  shareAt: (fromMs: number, toMs: number) => number,
  spanMs: number,
  fromMs: number,
  toMs: number,
): number {
  let worst = Number.POSITIVE_INFINITY;
  for (let atMs = fromMs; atMs + spanMs <= toMs; atMs += binMs) worst = Math.min(worst, shareAt(atMs, atMs + spanMs));
  return worst;
}

/** The share of an app's finished work, `perRequest` pieces for each good answer, that did nobody any good. */
export function wasted(recording: Recording, service: string, callers: readonly string[], perRequest = 1): number {
  const done = sum(recording.service(service).finished);
  const used = callers.reduce((total, name) => total + sum(recording.caller(name).goodByArrival) * perRequest, 0);
  return done === 0 ? 0 : Math.max(0, 1 - used / done);
}
