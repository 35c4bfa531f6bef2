/**
 * The calls that a half-open breaker has let through and not heard of. Each is known by the generation number under
 * which it was acquired, so an answer frees its own slot and never that of a later probe; an unanswered one frees it at
 * its deadline.
 */
const free = 0;

export class ProbeSlots {
  inFlight = 0;
  private generations: Float64Array;
  private deadlines: Float64Array;

  constructor(probesMax: number) {
    this.generations = new Float64Array(probesMax);
    this.deadlines = new Float64Array(probesMax);
  }

  /** The caller has seen to it that a slot is free. `generation` is above 0. */
  take(generation: number, deadlineMs: number): void {
    const slot = this.generations.indexOf(free);
    this.generations[slot] = generation;
    this.deadlines[slot] = deadlineMs;
    this.inFlight++;
  }

  /** False when no such probe is out: it was given up, or belongs to an earlier round. */
  release(generation: number): boolean {
    const slot = this.generations.indexOf(generation);
    if (slot < 0) return false;
    this.generations[slot] = free;
    this.inFlight--;
    return true;
  }

  releaseOverdue(nowMs: number): void {
    if (this.inFlight === 0) return;
    for (let slot = 0; slot < this.generations.length; slot++) {
      if (this.generations[slot] !== free && this.deadlines[slot]! <= nowMs) {
        this.generations[slot] = free;
        this.inFlight--;
      }
    }
  }

  /** When the next slot becomes free at the latest; Infinity when none is taken. */
  nextDeadlineMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (let slot = 0; slot < this.generations.length; slot++) {
      if (this.generations[slot] !== free && this.deadlines[slot]! < next) next = this.deadlines[slot]!;
    }
    return next;
  }

  clear(): void {
    this.generations.fill(free);
    this.inFlight = 0;
  }

  /** Probes that are out stay counted, also when there are more of them than slots in future. */
  resize(probesMax: number): void {
    if (probesMax <= this.generations.length) return;
    const generations = new Float64Array(probesMax);
    const deadlines = new Float64Array(probesMax);
    generations.set(this.generations);
    deadlines.set(this.deadlines);
    this.generations = generations;
    this.deadlines = deadlines;
  }
}
