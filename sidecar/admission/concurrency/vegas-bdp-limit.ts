/**
 * VegasBDP, the default: as many requests in the app as it works on, and a few more. Vegas' measure of a queue, bounded
 * by what BBR (Cardwell et al., 2016) calls the bandwidth-delay product, over windows of many samples; the
 * base latency is not the smallest one seen but measured in short dips.
 *
 *   a window closes after 250 ms and 20 samples: m = mean rtt, X = completions / ms, full = half of the samples or
 *   more came back when the limit was reached;  bdp = max(last 12 X) · base;  g = max(1, √L / 2, L / 10)
 *
 *   queue = L · (1 − base / m)
 *   full, queue < g                           L = L + g
 *   reached now and then, queue < g           L = L + g, up to 2 · bdp + 1.5: more is not needed, and would let work pile
 *                                             up in the app when it becomes slower
 *   queue > 2g − ½, or > 5 % refused at       L = L − g, or a dip if the last one is some time ago
 *     once and L > bdp
 *   full                                      L = min(L, 1.25 · bdp + 1.5)      not when the app is idle: quiet times
 *   L = clamp(L, min, max)                                                      would shrink it
 *
 * **The dip.** While the limit is always reached, every answer waits behind the same queue, and its length looks like the
 * service time: taking the least of the last minutes for the base lets limit and base drive each other up without end.
 * So the limit halves until max(32, 4 · L/2) answers are back, some 50 ms at 8 workers of 10 ms, and what they took is
 * the base. It is taken by Little's law, (mean in flight) / (completions a ms), since the first answers of any period are
 * the quick ones. When the throughput stays above 90 % meanwhile, half was enough: L = L/2 + g, and another dip follows;
 * unless half of the limit is less than the app was known to work on, when it was the luck of a few answers.
 * A dip costs nothing while L/2 still fills the workers, and at worst half of the throughput for its time. Dips come when
 * the limit is about to fall, at first 1 s apart, doubling to 8 s while they confirm the base; at the latest after 10 s
 * of full windows; and those that cost something for no more than an eighth of the time. Windows in which the app was not
 * busy are as good as a dip, and confirm as much: load that comes after them needs none for a while. Only answers that
 * take longer while fewer come are a reason to doubt at once.
 *
 * A dip is few answers, and service times scatter: 32 exponential ones are off by 18 %. So what is known counts as up to
 * 256 answers, halved every 4 s, and what comes is weighed against it.
 *
 * **A slower app is not a queue.** When answers take half as long again (and more, the fewer they were), yet no more are
 * in the app than it worked on at once before (L ≤ bdp), there can be no queue: the base is m from now on, and the limit
 * what it was lately. The next dip corrects that where workers were lost instead.
 *
 * In simulation (exponential service of 10 ms, Poisson arrivals, deadline 100 ms, a short priority queue in front) it
 * holds c workers at L ≈ c + 1 to c + 3 and 91–100 % of what they can do, for an hour at 1.5× as from 1.2× to 10×, with 1
 * worker as with 8. With the least of 40 windows for the base it was 4 % at 3× with one worker, and the limit at 1,000.
 */
import { type ConcurrencyLimit, type LimitRange, within } from './concurrency-limit.ts';
import { SampleWindow } from './sample-window.ts';

const windowMs = 250;
const samplesMin = 20;
const throughputWindows = 12;
const fullShare = 0.5;
const refusedShareMax = 0.05;
const headroomFactor = 1.25;
/** The same where the app is not full. */
const spareFactor = 2;
const headroom = 1.5;
/** What is known of the base counts as at most so many samples, and half as many when it is so old. */
const baseSamplesMax = 256;
const baseHalfLifeMs = 4000;
/** Beyond these shares of it, a base is not corrected but replaced. */
const baseFallen = 0.6;
const baseRisen = 1.5;
const confirmedShare = 0.2;
const dipSamplesMin = 32;
const dipSamplesPerRequest = 4;
const dipEveryMs = 10_000;
const dipSoonMs = 1000;
const dipSoonMaxMs = 8000;
const atOnce = -1;
const dipShareMax = 1 / 8;
/** A dip that takes longer learns nothing. */
const dipMaxMs = 1000;
const dipMaxBases = 40;
/** Of the throughput before, what shows that the dip's limit was enough. */
const enoughShare = 0.9;
/** Of what the app works on at once: below it, a dip's few answers are not believed that its limit was enough. */
const plausibleShare = 0.85;
/** A lower limit says nothing about a mean of requests in flight. */
const halfIdleMin = 8;
/** Of the highest limit lately, what it is worth a window later. */
const highDecay = 0.9;

const Phase = { normal: 0, draining: 1, measuring: 2 } as const;

const estimate = 0;
const phase = 1;
const base = 2;
/** When the base was last measured. */
const baseAt = 3;
const soon = 4;
const meanBefore = 5;
const high = 6;
/** Of the window: all that came back, those at the limit, those refused. */
const completions = 7;
const atLimit = 8;
const refusals = 9;
const dipBegan = 10;
const dipLast = 11;
const dipCount = 12;
/** Time × requests in flight. */
const dipArea = 13;
const dipNotBefore = 14;
const dipMeasured = 15;
const throughputCount = 16;
const throughputAt = 17;
const baseSamples = throughputAt + throughputWindows;
const correctedAt = baseSamples + 1;
const windowAt = correctedAt + 1;

export class VegasBdpLimit implements ConcurrencyLimit {
  static readonly cells = windowAt + SampleWindow.cells;
  private readonly range: LimitRange;
  private readonly cells: Float64Array;
  private readonly window: SampleWindow;

  constructor(range: LimitRange, cells: Float64Array = new Float64Array(VegasBdpLimit.cells)) {
    this.range = range;
    this.cells = cells;
    this.window = new SampleWindow(cells, windowAt);
  }

  get baseRttMs(): number {
    return this.cells[base]!;
  }

  limit(): number {
    const limit = Math.floor(this.cells[estimate]! || this.range.initial);
    return this.cells[phase] === Phase.normal ? limit : this.dipLimit(limit);
  }

  onSample(nowMs: number, rttMs: number, inFlight: number, isDrop: boolean): void {
    const { cells, window } = this;
    if (cells[phase] !== Phase.normal) return this.onDipSample(nowMs, inFlight);
    if (window.isEmpty) this.beginWindow(nowMs);
    window.see(inFlight);
    cells[completions]! += 1;
    if (inFlight >= this.limit()) cells[atLimit]! += 1;
    // A refusal at once says that there is no room, and nothing about the time that work takes. One that took long, or a
    // timeout, says that work takes at least so long: it is an answer like others.
    if (isDrop && rttMs <= cells[base]!) cells[refusals]! += 1;
    // Sent before the window began, it saw another limit.
    else if (nowMs - rttMs >= window.beganMs) window.add(rttMs);
    if (nowMs - window.beganMs < windowMs) return;
    if (window.count >= samplesMin || (cells[refusals]! >= samplesMin && window.count > 0)) this.closeWindow(nowMs);
  }

  private closeWindow(nowMs: number): void {
    const { cells, window, range } = this;
    const meanMs = window.meanMs;
    const limit = cells[estimate]! || range.initial;
    const elapsedMs = nowMs - window.beganMs;
    this.noteThroughput((cells[completions]! - cells[refusals]!) / elapsedMs);
    const isBusy = 2 * window.inFlightMax >= limit;
    const isFull = cells[atLimit]! >= fullShare * cells[completions]!;
    const refusesMany = cells[refusals]! > refusedShareMax * cells[completions]!;
    const isIdle = !isBusy || this.isHalfIdle(meanMs, limit, elapsedMs);
    if (isIdle && !refusesMany) this.believe(meanMs, window.count, nowMs);
    if (cells[base] === 0 || (isFull && (cells[soon]! < 0 || nowMs - cells[baseAt]! > dipEveryMs)))
      return this.beginDip(nowMs);
    if (meanMs < cells[base]!) this.correctBase(meanMs, window.count, nowMs);
    const slower = baseRisen + 2 / Math.sqrt(window.count);
    if (isFull && meanMs > slower * cells[base]! && limit <= this.bdp()) this.believeSlower(meanMs, limit, nowMs);
    else this.move(meanMs, { limit, isBusy, isFull, refusesMany }, nowMs);
  }

  /** By Little's law; an app of few workers has a queue then, but not one of many. */
  private isHalfIdle(meanMs: number, limit: number, elapsedMs: number): boolean {
    const { cells } = this;
    return limit >= halfIdleMin && cells[atLimit] === 0 && 2 * cells[completions]! * meanMs < limit * elapsedMs;
  }

  private move(
    meanMs: number,
    { limit, isBusy, isFull, refusesMany }: { limit: number; isBusy: boolean; isFull: boolean; refusesMany: boolean },
    nowMs: number,
  ): void {
    const { cells } = this;
    const step = stepOf(limit);
    const queue = limit * (1 - cells[base]! / meanMs);
    const jumped = cells[meanBefore]! > 0 && meanMs > baseRisen * cells[meanBefore]!;
    cells[meanBefore] = meanMs;
    let next = limit;
    if (queue > 2 * step - 0.5 || (refusesMany && limit > this.bdp())) {
      const since = nowMs - cells[baseAt]!;
      const isDoubted = jumped && since > windowMs && this.hasThroughputFallen();
      if (isFull && (since > Math.max(dipSoonMs, cells[soon]!) || isDoubted)) {
        return this.beginDip(nowMs);
      }
      next -= step;
    } else if (isBusy && queue < step && !refusesMany) {
      // What is not needed is not given: a limit far above the work would let it pile up when the app becomes slower.
      if (isFull) next += step;
      else if (cells[atLimit]! > 0) next = Math.max(limit, Math.min(limit + step, spareFactor * this.bdp() + headroom));
    }
    this.setEstimate(next, isFull);
    this.beginWindow(nowMs);
  }

  private believeSlower(meanMs: number, limit: number, nowMs: number): void {
    const { cells } = this;
    cells[base] = meanMs;
    // Due for a dip at the next doubt.
    cells[baseAt] = nowMs - dipSoonMs;
    cells[soon] = dipSoonMs;
    this.forgetThroughput();
    this.setEstimate(Math.max(limit, cells[high]!), true);
    this.beginWindow(nowMs);
  }

  // ── The dip ─────────────────────────────────────────────────────────────────────────────────────────────────────

  private dipLimit(limit: number): number {
    return Math.max(this.range.min, Math.floor(limit / 2));
  }

  private beginDip(nowMs: number): void {
    const { cells } = this;
    const limit = this.limit();
    if (this.dipLimit(limit) >= limit || nowMs < cells[dipNotBefore]!) {
      // There is nothing below it to see, or not yet: what is known stays.
      if (cells[base] === 0) cells[base] = this.window.meanMs;
      cells[baseAt] = nowMs;
      return this.beginWindow(nowMs);
    }
    cells[phase] = Phase.draining;
    cells[dipBegan] = nowMs;
  }

  private onDipSample(nowMs: number, inFlight: number): void {
    const { cells } = this;
    const limit = this.limit();
    if (cells[phase] === Phase.draining) {
      if (inFlight <= limit) {
        cells[phase] = Phase.measuring;
        cells[dipCount] = 0;
        cells[dipArea] = 0;
        cells[dipLast] = nowMs;
        cells[dipMeasured] = nowMs;
      }
    } else {
      cells[dipCount]! += 1;
      cells[dipArea]! += inFlight * (nowMs - cells[dipLast]!);
      cells[dipLast] = nowMs;
      if (cells[dipCount]! >= Math.max(dipSamplesMin, dipSamplesPerRequest * limit)) return this.endDip(nowMs, true);
    }
    if (nowMs - cells[dipBegan]! > Math.max(dipMaxMs, dipMaxBases * cells[base]!)) this.endDip(nowMs, false);
  }

  private endDip(nowMs: number, isMeasured: boolean): void {
    const { cells } = this;
    const before = cells[base]!;
    cells[phase] = Phase.normal;
    cells[dipNotBefore] = nowMs + (nowMs - cells[dipBegan]!) / dipShareMax;
    cells[baseAt] = nowMs;
    if (isMeasured) {
      const rttMs = cells[dipArea]! / cells[dipCount]!;
      this.believe(rttMs, cells[dipCount]!, nowMs);
    }
    let next = cells[estimate]! || this.range.initial;
    const limit = this.dipLimit(Math.floor(next));
    const isNews =
      isMeasured && (cells[base]! < baseFallen * before || limit > plausibleShare * before * this.throughputBefore());
    if (isNews && cells[dipCount]! / (nowMs - cells[dipMeasured]!) > enoughShare * this.throughputBefore()) {
      // Half of the limit was enough: no need to find that out step by step. There may still be a queue: look again.
      cells[dipNotBefore] = nowMs;
      if (limit + stepOf(limit) < next) {
        next = limit + stepOf(limit);
        cells[soon] = atOnce;
      }
    }
    this.setEstimate(next, true);
    this.beginWindow(nowMs);
  }

  // ── What is known ───────────────────────────────────────────────────────────────────────────────────────────────

  /** Measured without a queue. The more often it confirms what was known, the later the next dip. */
  private believe(rttMs: number, samples: number, nowMs: number): void {
    const { cells } = this;
    const before = cells[base]!;
    const confirms = before > 0 && Math.abs(rttMs - before) < (confirmedShare + 1 / Math.sqrt(samples)) * before;
    cells[soon] = confirms ? Math.min(dipSoonMaxMs, Math.max(dipSoonMs, cells[soon]! * 2)) : dipSoonMs;
    this.learnBase(rttMs, samples, nowMs);
  }

  private learnBase(rttMs: number, samples: number, nowMs: number): void {
    const { cells } = this;
    const before = cells[base]!;
    cells[baseAt] = nowMs;
    if (before === 0 || rttMs < baseFallen * before || rttMs > baseRisen * before) {
      // Slower, it does not do any longer what it did.
      if (rttMs > before && cells[throughputCount]! > 0) this.forgetThroughput();
      cells[base] = rttMs;
      cells[baseSamples] = samples;
      cells[correctedAt] = nowMs;
    } else this.correctBase(rttMs, samples, nowMs);
  }

  private correctBase(rttMs: number, samples: number, nowMs: number): void {
    const { cells } = this;
    const known = cells[baseSamples]! * 2 ** ((cells[correctedAt]! - nowMs) / baseHalfLifeMs);
    cells[base]! += ((rttMs - cells[base]!) * samples) / (samples + known);
    cells[baseSamples] = Math.min(baseSamplesMax, samples + known);
    cells[correctedAt] = nowMs;
  }

  private noteThroughput(perMs: number): void {
    const { cells } = this;
    cells[throughputAt + (cells[throughputCount]! % throughputWindows)] = perMs;
    cells[throughputCount]! += 1;
  }

  /** But for the last window's. */
  private forgetThroughput(): void {
    const { cells } = this;
    cells[throughputAt] = cells[throughputAt + ((cells[throughputCount]! - 1) % throughputWindows)]!;
    cells.fill(0, throughputAt + 1, throughputAt + throughputWindows);
    cells[throughputCount] = 1;
  }

  /** Before a dip: of the last windows, or of the very last where the load has just come. */
  private throughputBefore(): number {
    const { cells } = this;
    const last = cells[throughputAt + ((cells[throughputCount]! + throughputWindows - 1) % throughputWindows)]!;
    return Math.max(last, this.throughputMean());
  }

  private throughputMean(): number {
    const { cells } = this;
    const known = Math.min(throughputWindows, cells[throughputCount]!);
    let sum = 0;
    for (let i = throughputAt; i < throughputAt + known; i++) sum += cells[i]!;
    return sum / known;
  }

  /** The last window's, below those before. */
  private hasThroughputFallen(): boolean {
    const { cells } = this;
    const last = cells[throughputAt + ((cells[throughputCount]! + throughputWindows - 1) % throughputWindows)]!;
    return last < enoughShare * this.throughputMean();
  }

  /** What the app works on at once. */
  private bdp(): number {
    const { cells } = this;
    let most = 0;
    for (let i = throughputAt; i < throughputAt + throughputWindows; i++) if (cells[i]! > most) most = cells[i]!;
    return most * cells[base]!;
  }

  private setEstimate(limit: number, isFull: boolean): void {
    const { cells, range } = this;
    const bounded = isFull && cells[base]! > 0 ? Math.min(limit, headroomFactor * this.bdp() + headroom) : limit;
    cells[estimate] = within(range, bounded);
    cells[high] = Math.max(cells[estimate]!, cells[high]! * highDecay);
  }

  private beginWindow(nowMs: number): void {
    this.window.begin(nowMs);
    this.cells[completions] = 0;
    this.cells[atLimit] = 0;
    this.cells[refusals] = 0;
  }
}

function stepOf(limit: number): number {
  return Math.max(1, Math.sqrt(limit) / 2, limit / 10);
}
