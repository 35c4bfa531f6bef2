/** Time by steps, and messages that are late or lost: what the worlds of leases have in common. */
import { type Random, XorShift32 } from '../../../proto/kernel/random.ts';

export interface LossyWorldOptions {
  readonly nodes: number;
  readonly seed: number;
  readonly lossShare: number;
  readonly delayMaxMs: number;
  /** Chance per step that a process stands still for up to 3 s. */
  readonly stallShare: number;
  readonly driftShare?: number;
}

const stepMs = 5;

export abstract class LossyWorld<Options extends LossyWorldOptions> {
  readonly random: Random;
  readonly options: Options;
  nowMs = 0;
  private mail: { readonly atMs: number; readonly deliver: () => void }[] = [];

  constructor(options: Options) {
    this.options = options;
    this.random = new XorShift32(options.seed);
  }

  /** Whoever is due speaks, after what was due has arrived. */
  protected abstract onStep(): void;

  /** One step of time: what is due arrives, who is due speaks. */
  step(): void {
    this.nowMs += stepMs;
    const due = this.mail.filter(({ atMs }) => atMs <= this.nowMs);
    this.mail = this.mail.filter(({ atMs }) => atMs > this.nowMs);
    for (const { deliver } of due.sort((a, b) => a.atMs - b.atMs)) deliver();
    this.onStep();
  }

  /** The time it took. */
  runUntil(condition: () => boolean, limitMs: number): number {
    const fromMs = this.nowMs;
    while (!condition()) {
      if (this.nowMs - fromMs > limitMs) throw new Error(`not so within ${limitMs} ms`);
      this.step();
    }
    return this.nowMs - fromMs;
  }

  protected post(deliver: () => void): void {
    if (this.random.next() < this.options.lossShare) return;
    this.mail.push({ atMs: this.nowMs + this.random.next() * this.options.delayMaxMs, deliver });
  }
}
