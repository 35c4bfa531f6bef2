/**
 * The loop: take an input of the corpus, change it, run it, keep it if something happened that had not happened before.
 * What "happened" means is the target's to say (`Features`): which frames, answers and errors followed each other. That
 * is coarser than counting branches, and a hundred times cheaper.
 */
import { XorShift32 } from '../../proto/kernel/random.ts';
import { pick } from './mutate.ts';
import { Features, type Target } from './target.ts';

/** What is known is bounded, too: beyond it nothing is kept any more. */
const featuresMax = 2_000_000;
const inputsMax = 20_000;
const minimiseRunsMax = 3000;
/** A single input may take this long, also on a busy machine; the watchdog sees those that never end. */
const runMsMax = 2_000;

export interface Finding {
  readonly input: Buffer;
  readonly message: string;
  readonly stack: string;
}

export class FuzzLoop {
  readonly target: Target;
  executions = 0;
  /** Told before each run, so that a run that never ends is known. */
  beforeRun: (input: Buffer) => void = () => {};
  private readonly random: XorShift32;
  private readonly features = new Features();
  private readonly known = new Set<string>();
  private readonly inputs: Buffer[] = [];

  constructor(target: Target, seed: number) {
    this.target = target;
    this.random = new XorShift32(seed);
  }

  get featureCount(): number {
    return this.known.size;
  }

  get inputCount(): number {
    return this.inputs.length;
  }

  /** Runs the corpus itself. */
  async begin(corpus: readonly Buffer[]): Promise<Finding | null> {
    for (const input of [...this.target.seeds(), ...corpus]) {
      const finding = await this.try(input);
      if (finding !== null) return finding;
    }
    return null;
  }

  /** One changed input. */
  async step(): Promise<Finding | null> {
    // The latest are the least explored.
    const share = this.random.next();
    const at = share < 0.5 ? this.inputs.length - 1 - pick(this.random, Math.min(50, this.inputs.length)) : -1;
    const input = this.inputs[at < 0 ? pick(this.random, this.inputs.length) : at]!;
    const other = this.inputs[pick(this.random, this.inputs.length)]!;
    return this.try(this.target.mutate(input, other, this.random));
  }

  /** A few small inputs that together show everything that is known; smallest first. */
  async distil(countMax: number, bytesMax: number): Promise<Buffer[]> {
    const shown = new Set<string>();
    const chosen: { input: Buffer; gain: number }[] = [];
    const candidates = this.inputs.filter((input) => input.length <= bytesMax).sort((a, b) => a.length - b.length);
    for (const input of candidates) {
      if ((await this.failure(input)) !== null) continue;
      const gain = [...this.features.seen].filter((feature) => !shown.has(feature)).length;
      if (gain === 0) continue;
      for (const feature of this.features.seen) shown.add(feature);
      chosen.push({ input, gain });
    }
    return chosen
      .sort((a, b) => b.gain - a.gain)
      .slice(0, countMax)
      .map(({ input }) => input);
  }

  /** Leaves out what the failure does not need. */
  async minimise(finding: Finding): Promise<Finding> {
    let best = finding;
    let runs = 0;
    for (let isBetter = true; isBetter && runs < minimiseRunsMax; ) {
      isBetter = false;
      for (const [start, end] of this.target.parts(best.input)) {
        if (++runs > minimiseRunsMax) break;
        const smaller = Buffer.concat([best.input.subarray(0, start), best.input.subarray(end)]);
        if (smaller.length >= best.input.length) continue;
        const failure = await this.failure(smaller);
        if (failure === null || kindOf(failure.message) !== kindOf(finding.message)) continue;
        best = failure;
        isBetter = true;
        break;
      }
    }
    return best;
  }

  private async try(input: Buffer): Promise<Finding | null> {
    const failure = await this.failure(input);
    if (failure !== null) return failure;
    let isNew = false;
    for (const feature of this.features.seen) {
      if (this.known.has(feature) || this.known.size >= featuresMax) continue;
      this.known.add(feature);
      isNew = true;
    }
    if (isNew && this.inputs.length < inputsMax) this.inputs.push(Buffer.from(input));
    return null;
  }

  private async failure(input: Buffer): Promise<Finding | null> {
    this.executions++;
    this.features.clear();
    this.beforeRun(input);
    const startedMs = performance.now();
    try {
      await this.target.run(input, this.features);
      const tookMs = performance.now() - startedMs;
      if (tookMs > runMsMax) throw new Error(`it took ${Math.round(tookMs)} ms`);
      return null;
    } catch (error) {
      const known = error instanceof Error ? error : new Error(String(error));
      return { input: Buffer.from(input), message: known.message, stack: known.stack ?? '' };
    }
  }
}

/** Numbers change while an input shrinks; the kind of failure must not. */
function kindOf(message: string): string {
  return message.replace(/\d+/g, 'n');
}
