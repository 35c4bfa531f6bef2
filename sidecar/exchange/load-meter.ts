/**
 * How loaded a service is, as its sidecar tells its callers (routing/orca.ts): requests and failures a second, and
 *
 *   utilisation = (permits in use, on average, + requests that wait now) / concurrency limit
 *
 * which is 1 when the app works as much as the limit lets it, more when others wait, and nothing where there is no limit.
 * Permits in use are the time that requests held them, divided by the time that passed (Little), so a request that is done
 * before anybody looks counts all the same. Averages forget with a time constant of a second.
 *
 * Each of several threads takes what it sees for its even part; limit and queue are of all of them.
 */
import { emptyReport, encodeOrca } from '../routing/orca.ts';

/** The limits and queues of the service, of all threads. */
export interface LoadFacts {
  readonly concurrencyLimit: number;
  readonly queued: number;
}

/** A report is good for this long: a text for each answer would cost more than the answers of a fast app. */
export const reportEveryMs = 100;
const forgetMs = 1000;

export class LoadMeter {
  private readonly facts: LoadFacts;
  private readonly threads: number;
  private readonly report = emptyReport();
  private text = '';
  private readMs: number;
  /** Since the last reading. */
  private done = 0;
  private failed = 0;
  private heldMs = 0;
  /** Before that, each forgotten a little with every reading. */
  private readonly past = { done: 0, failed: 0, heldMs: 0, ms: 0 };
  private underWay = 0;

  constructor(facts: LoadFacts, threads: number, nowMs: number) {
    this.facts = facts;
    this.threads = threads;
    this.readMs = nowMs;
  }

  begin(): void {
    this.underWay++;
  }

  /** `reached`: the app had it. */
  end(reached: boolean, isFailure: boolean): void {
    this.underWay--;
    if (reached) this.done++;
    if (isFailure) this.failed++;
  }

  /** A permit came back. */
  recordHeld(ms: number): void {
    this.heldMs += ms;
  }

  /** The value of `endpoint-load-metrics-bin`; '' while there is nothing to go by. */
  textAt(nowMs: number): string {
    if (nowMs - this.readMs >= reportEveryMs) this.read(nowMs);
    return this.text;
  }

  private read(nowMs: number): void {
    const { past, report, threads, facts } = this;
    const elapsedMs = nowMs - this.readMs;
    const kept = Math.exp(-elapsedMs / forgetMs);
    // What happened meanwhile, as if evenly, so that the beginning of a long pause is forgotten with it.
    const weight = (forgetMs * (1 - kept)) / elapsedMs;
    this.readMs = nowMs;
    past.done = past.done * kept + this.done * weight;
    past.failed = past.failed * kept + this.failed * weight;
    past.heldMs = past.heldMs * kept + this.heldMs * weight;
    past.ms = past.ms * kept + elapsedMs * weight;
    this.done = 0;
    this.failed = 0;
    this.heldMs = 0;
    const { concurrencyLimit, queued } = facts;
    report.qps = (threads * 1000 * past.done) / past.ms;
    report.eps = (threads * 1000 * past.failed) / past.ms;
    report.inFlight = threads * this.underWay;
    const isLimited = concurrencyLimit > 0 && concurrencyLimit < Number.POSITIVE_INFINITY;
    report.applicationUtilization = isLimited ? ((threads * past.heldMs) / past.ms + queued) / concurrencyLimit : 0;
    this.text = encodeOrca(report);
  }
}
