/** An app of FIFO workers with exponential service behind a limit, with requests that always want in; event by event. */
import { XorShift32 } from '../../../../proto/kernel/random.ts';
import type { ConcurrencyLimit } from '../../../../sidecar/admission/concurrency/concurrency-limit.ts';

export class AppOfWorkers {
  private readonly workers: number;
  private readonly serviceMs: number;
  private readonly random: XorShift32;
  private nowMs = 0;
  /** When those in service end, and when they were sent. */
  private readonly busy: { endMs: number; sentMs: number }[] = [];
  private readonly queue: number[] = [];
  private waiting = 0;
  private nextArrivalMs = 0;

  constructor({ workers, serviceMs, seed }: { workers: number; serviceMs: number; seed: number }) {
    this.workers = workers;
    this.serviceMs = serviceMs;
    this.random = new XorShift32(seed);
  }

  /** `load`: arrivals as a multiple of what the workers can do; up to 100 wait in front of the limit. */
  offer(limit: ConcurrencyLimit, { untilMs, load }: { untilMs: number; load: number }) {
    let served = 0;
    const limits: number[] = [];
    while (this.nowMs < untilMs) {
      const next = this.busy.reduce((least, one) => Math.min(least, one.endMs), Number.POSITIVE_INFINITY);
      if (this.nextArrivalMs <= next) {
        this.nowMs = this.nextArrivalMs;
        this.nextArrivalMs += this.exponential(this.serviceMs / this.workers / load);
        if (this.waiting < 100) this.waiting++;
      } else {
        this.nowMs = next;
        const inFlight = this.inFlight;
        const at = this.busy.findIndex((one) => one.endMs === next);
        const [done] = this.busy.splice(at, 1);
        const queued = this.queue.shift();
        if (queued !== undefined) this.start(queued);
        limit.onSample(this.nowMs, this.nowMs - done!.sentMs, inFlight, false);
        served++;
        limits.push(limit.limit());
      }
      for (; this.waiting > 0 && this.inFlight < limit.limit(); this.waiting--) this.send();
    }
    return { served, limits };
  }

  private get inFlight(): number {
    return this.busy.length + this.queue.length;
  }

  private send(): void {
    if (this.busy.length < this.workers) this.start(this.nowMs);
    else this.queue.push(this.nowMs);
  }

  private start(sentMs: number): void {
    this.busy.push({ endMs: this.nowMs + this.exponential(this.serviceMs), sentMs });
  }

  private exponential(meanMs: number): number {
    return -meanMs * Math.log(1 - this.random.next());
  }
}
