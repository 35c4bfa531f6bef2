/**
 * What happened in one run, in bins of time: what both rigs write and all metrics read. Everything is counted at the
 * caller, who alone knows whether an answer was good, except for the work that apps did.
 */

export const binMs = 10;

/** What became of a request, for its caller. */
export const Fate = { good: 0, late: 1, refused: 2, failed: 3 } as const;

export class CallerRecord {
  /** By the bin in which the request came. */
  readonly offered: Float64Array;
  readonly goodByArrival: Float64Array;
  readonly refusedByArrival: Float64Array;
  /** By the bin in which the answer came. */
  readonly good: Float64Array;
  /** Attempts of the caller itself, first ones included. */
  readonly attempts: Float64Array;
  /** Answers that said no, by the bin in which they came; a request with retries may have several. */
  readonly refused: Float64Array;
  failed = 0;
  late = 0;
  /** Of good answers: when asked, and how long it took. */
  private askedMs = new Float64Array(1024);
  private tookMs = new Float64Array(1024);
  private answers = 0;

  constructor(bins: number) {
    this.offered = new Float64Array(bins);
    this.goodByArrival = new Float64Array(bins);
    this.refusedByArrival = new Float64Array(bins);
    this.good = new Float64Array(bins);
    this.attempts = new Float64Array(bins);
    this.refused = new Float64Array(bins);
  }

  arrive(atMs: number): void {
    this.offered[binOf(atMs, this.offered)]! += 1;
  }

  attempt(atMs: number): void {
    this.attempts[binOf(atMs, this.attempts)]! += 1;
  }

  end(fate: number, askedMs: number, endedMs: number): void {
    switch (fate) {
      case Fate.good:
        this.goodByArrival[binOf(askedMs, this.good)]! += 1;
        this.good[binOf(endedMs, this.good)]! += 1;
        this.keep(askedMs, endedMs - askedMs);
        return;
      case Fate.refused:
        this.refusedByArrival[binOf(askedMs, this.good)]! += 1;
        return;
      case Fate.late:
        this.late++;
        return;
      default:
        this.failed++;
    }
  }

  refuse(atMs: number): void {
    this.refused[binOf(atMs, this.refused)]! += 1;
  }

  /** The value in ms below which `share` of the good answers to what was asked in that time lie; NaN without any. */
  quantileMs(share: number, fromMs = 0, toMs = Number.POSITIVE_INFINITY): number {
    const within: number[] = [];
    for (let i = 0; i < this.answers; i++) {
      if (this.askedMs[i]! >= fromMs && this.askedMs[i]! < toMs) within.push(this.tookMs[i]!);
    }
    if (within.length === 0) return Number.NaN;
    const sorted = Float64Array.from(within).sort();
    return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
  }

  private keep(askedMs: number, tookMs: number): void {
    if (this.answers === this.askedMs.length) {
      this.askedMs = grown(this.askedMs);
      this.tookMs = grown(this.tookMs);
    }
    this.askedMs[this.answers] = askedMs;
    this.tookMs[this.answers++] = tookMs;
  }
}

export class ServiceRecord {
  /** Requests that its apps finished, by when: also those that nobody waited for. */
  readonly finished: Float64Array;
  /** Requests that came to its sidecars, and those that went on to its apps. */
  readonly arrived: Float64Array;
  readonly begun: Float64Array;
  /** Breakers of its callers that opened, by when. */
  readonly opened: Float64Array;
  /** Sampled every 100 ms: the mean concurrency limit of its sidecars. */
  readonly limits: number[] = [];

  constructor(bins: number) {
    this.finished = new Float64Array(bins);
    this.arrived = new Float64Array(bins);
    this.begun = new Float64Array(bins);
    this.opened = new Float64Array(bins);
  }

  count(into: Float64Array, atMs: number): void {
    into[binOf(atMs, into)]! += 1;
  }
}

export const limitSampleMs = 100;

/** What all proxies together had taken by then; only a live rig knows. */
export interface UsageSample {
  readonly atMs: number;
  readonly cpuMs: number;
  readonly rssBytes: number;
}

export class Recording {
  readonly durationMs: number;
  readonly usage: UsageSample[] = [];
  private readonly callers = new Map<string, CallerRecord>();
  private readonly services = new Map<string, ServiceRecord>();

  constructor(durationMs: number) {
    this.durationMs = durationMs;
  }

  caller(name: string): CallerRecord {
    return gotten(this.callers, name, () => new CallerRecord(this.bins));
  }

  service(name: string): ServiceRecord {
    return gotten(this.services, name, () => new ServiceRecord(this.bins));
  }

  private get bins(): number {
    return Math.ceil(this.durationMs / binMs);
  }
}

/** How many in [fromMs, toMs). */
export function sum(counts: Float64Array, fromMs = 0, toMs = Number.POSITIVE_INFINITY): number {
  const last = Math.min(counts.length, Math.round(toMs / binMs));
  let total = 0;
  for (let i = Math.round(fromMs / binMs); i < last; i++) total += counts[i]!;
  return total;
}

/** The last bin takes what comes after the end. */
function binOf(atMs: number, counts: Float64Array): number {
  return Math.min(counts.length - 1, Math.floor(atMs / binMs));
}

function grown(array: Float64Array): Float64Array<ArrayBuffer> {
  const twice = new Float64Array(array.length * 2);
  twice.set(array);
  return twice;
}

function gotten<T>(map: Map<string, T>, name: string, make: () => T): T {
  let value = map.get(name);
  if (value === undefined) {
    value = make();
    map.set(name, value);
  }
  return value;
}
