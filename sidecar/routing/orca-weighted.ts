/**
 * Weighted round robin by what servers report of themselves (gRPC's A58), for services whose instances differ in size. The
 * order comes from static strides: a running number goes around the endpoints, and each lets it pass on in the rounds
 * that its weight leaves out, so every endpoint's picks are spread evenly. No heap, no search: since a weight is kept
 * within a tenth and ten times the mean, a pick looks at ten endpoints at worst on average, and at two or so commonly.
 *
 * Endpoints that have no weight yet get the mean; while fewer than two have one, all are alike.
 */
import type { Random } from '../../proto/kernel/random.ts';
import type { Endpoint } from './endpoint.ts';
import type { WeightSettings } from './endpoint-load.ts';
import { firstNotOut } from './p2c.ts';

/** From one reading of the weights to the next. */
const updateMs = 1000;
const ratioMax = 10;
/** The weight of the heaviest; a whole number, so that a stride is exact. */
const weightMax = 0xffff;

export class OrcaWeighted {
  private readonly settings: WeightSettings;
  private readonly random: Random;
  private endpoints: readonly Endpoint[] = [];
  private weights = new Float64Array(0);
  private dueMs = Number.NEGATIVE_INFINITY;
  private index = 0;
  private round: number;

  constructor(settings: WeightSettings, random: Random) {
    this.settings = settings;
    this.random = random;
    this.round = Math.floor(random.next() * weightMax);
  }

  setEndpoints(endpoints: readonly Endpoint[]): void {
    this.endpoints = endpoints;
    if (this.weights.length !== endpoints.length) this.weights = new Float64Array(endpoints.length);
    this.dueMs = Number.NEGATIVE_INFINITY;
    this.index = Math.floor(this.random.next() * Math.max(1, endpoints.length));
  }

  pick(nowMs: number): Endpoint | undefined {
    const { endpoints, weights } = this;
    const count = endpoints.length;
    if (count <= 1) return endpoints[0];
    if (nowMs >= this.dueMs) this.update(nowMs);
    // The heaviest never lets it pass, so one round finds somebody, unless they are out or warming.
    for (let step = 0; step < 2 * count; step++) {
      const index = this.index;
      this.step(count);
      // A stride: of any weightMax rounds in a row the endpoint takes `weight`, evenly spread (gRPC's static stride).
      const position = (weights[index]! * this.round + index * 32_768) % weightMax;
      if (position < weightMax - weights[index]!) continue;
      const endpoint = endpoints[index]!;
      if (!endpoint.isOut(nowMs) && !endpoint.slowStart.standsBack(nowMs)) return endpoint;
    }
    return firstNotOut(endpoints, this.index, nowMs) ?? endpoints[this.index];
  }

  onAnswer(): void {}

  private step(count: number): void {
    this.index++;
    if (this.index < count) return;
    this.index = 0;
    this.round = this.round + 1 < weightMax ? this.round + 1 : 0;
  }

  private update(nowMs: number): void {
    this.dueMs = nowMs + updateMs;
    const { endpoints, weights, settings } = this;
    let known = 0;
    let sum = 0;
    for (let i = 0; i < endpoints.length; i++) {
      const weight = endpoints[i]!.load.weight(settings, nowMs);
      weights[i] = weight;
      if (weight === 0) continue;
      known++;
      sum += weight;
    }
    if (known < 2) {
      weights.fill(weightMax);
      return;
    }
    const mean = sum / known;
    let most = 0;
    for (let i = 0; i < weights.length; i++) {
      const weight = weights[i]! === 0 ? mean : weights[i]!;
      weights[i] = Math.min(mean * ratioMax, Math.max(mean / ratioMax, weight));
      most = Math.max(most, weights[i]!);
    }
    for (let i = 0; i < weights.length; i++) weights[i] = Math.max(1, Math.round((weights[i]! / most) * weightMax));
  }
}
