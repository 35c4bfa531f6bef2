/**
 * The calls that a half-open breaker has let through and not heard of. Each is known by the generation number under
 * which it was acquired, so an answer frees its own slot and never that of a later probe; an unanswered one frees it at
 * its deadline, and not when its round ends: what counts for the server is how many probes are out, over all rounds.
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

  /** False when no such probe is out: it was given up. */
  release(generation: number): boolean {
    const slot = this.generations.indexOf(generation);
    if (slot < 0) return false;
    this.generations[slot] = free;
    this.inFlight--;
    return true;
  }

  /** Answers the earliest deadline that a probe acquired after `generation` has missed; Infinity when there is none. */
  releaseOverdue(nowMs: number, generation: number): number {
    let earliestMs = Number.POSITIVE_INFINITY;
    if (this.inFlight === 0) return earliestMs;
    for (let slot = 0; slot < this.generations.length; slot++) {
      if (this.generations[slot] === free || this.deadlines[slot]! > nowMs) continue;
      if (this.generations[slot]! > generation) earliestMs = Math.min(earliestMs, this.deadlines[slot]!);
      this.generations[slot] = free;
      this.inFlight--;
    }
    return earliestMs;
  }

  /** Of those that are out, the ones acquired after `generation`. */
  inFlightSince(generation: number): number {
    let count = 0;
    for (let slot = 0; slot < this.generations.length; slot++) if (this.generations[slot]! > generation) count++;
    return count;
  }

  /** Room for more; with fewer probes the slots stay, for those that are out. */
  resize(probesMax: number): void {
    if (probesMax <= this.generations.length) return;
    const generations = new Float64Array(probesMax);
    const deadlines = new Float64Array(probesMax);
    generations.set(this.generations);
    deadlines.set(this.deadlines);
    this.generations = generations;
    this.deadlines = deadlines;
  }

  /** Writes how many are out, and for each of `slotsMax` slots two numbers if there are any. */
  freeze(into: Float64Array, at: number, slotsMax: number): void {
    into[at] = this.inFlight;
    if (this.inFlight === 0) return;
    into.fill(free, at + 1, at + 1 + 2 * slotsMax);
    into.set(this.generations, at + 1);
    into.set(this.deadlines, at + 1 + slotsMax);
  }

  thaw(from: Float64Array, at: number, slotsMax: number): void {
    const inFlight = from[at]!;
    if (inFlight > 0) this.resize(slotsMax);
    else if (this.inFlight === 0) return;
    this.inFlight = inFlight;
    for (let slot = 0; slot < this.generations.length; slot++) {
      this.generations[slot] = inFlight === 0 ? free : from[at + 1 + slot]!;
      this.deadlines[slot] = from[at + 1 + slotsMax + slot]!;
    }
  }
}
