/** The dice of a run: each part of it has its own, so that what one part draws does not change another's luck. */
import { fnv1a } from '../../../proto/kernel/fnv.ts';
import { type Random, XorShift32 } from '../../../proto/kernel/random.ts';

/** xorshift's first numbers resemble its seed. */
const warmUpDraws = 8;

export function diceOf(seed: number, name: string): Random {
  const random = new XorShift32(fnv1a(`${seed}/${name}`));
  for (let i = 0; i < warmUpDraws; i++) random.next();
  return random;
}

export function exponential(mean: number, random: Random): number {
  return -mean * Math.log(1 - random.next());
}

/** Of a mean of 1; σ of the logarithm 1, which makes p99 about 6 times the mean. */
export function lognormal(mean: number, random: Random): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
  return mean * Math.exp(normal - 0.5);
}

/** How many come in a time in which `mean` are expected. */
export function poisson(mean: number, random: Random): number {
  let count = 0;
  const end = Math.exp(-mean);
  for (let product = random.next(); product > end; product *= random.next()) count++;
  return count;
}
