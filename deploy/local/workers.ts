/**
 * The capacity of a demo service: a fixed number of workers behind a FIFO queue, so capacity = workers / service time,
 * at hardly any CPU. The queue is what most servers have by accident: it keeps every request, also those whose caller
 * gave up long ago, and that is how an overloaded service comes to be busy and useless at once.
 */
type Work = () => void;

export class Workers {
  /** Bounded, as a thread pool's backlog is; far longer than any deadline here. */
  private readonly backlog: (Work | undefined)[];
  private readonly workerCount: number;
  private head = 0;
  queued = 0;
  busy = 0;

  constructor(options: { readonly workers: number; readonly queueMax: number }) {
    this.workerCount = options.workers;
    this.backlog = new Array<Work | undefined>(options.queueMax);
  }

  /** Starts `work` now or when a worker is free; it must call leave() when done. False = the queue is full. */
  enter(work: Work): boolean {
    if (this.busy < this.workerCount) {
      this.busy++;
      work();
      return true;
    }
    if (this.queued === this.backlog.length) return false;
    this.backlog[(this.head + this.queued) % this.backlog.length] = work;
    this.queued++;
    return true;
  }

  leave(): void {
    if (this.queued === 0) {
      this.busy--;
      return;
    }
    const next = this.backlog[this.head];
    this.backlog[this.head] = undefined;
    this.head = (this.head + 1) % this.backlog.length;
    this.queued--;
    next?.();
  }
}
