/**
 * How a service's requests are spread over its endpoints: one contract, five ways. Each knows the endpoints it may choose
 * among, and is told of answers. A pick looks at a handful of endpoints, whatever their number, and allocates nothing.
 *
 *   roundRobin     one after the other. Even counts; blind to what each can do
 *   leastRequest   of two at random the one with fewer requests in flight (p2c.ts)
 *   p2cPeakEwma    of two at random the one where requests in flight × time to answer is less (p2c.ts). The default
 *   orcaWeighted   in turn, by the weights that servers' own reports give (orca-weighted.ts)
 *   prequal        the fastest of those that are not busy, as answers of the last second say (prequal.ts)
 */
import type { Random } from '../../proto/kernel/random.ts';
import type { Endpoint } from './endpoint.ts';
import type { WeightSettings } from './endpoint-load.ts';
import { OrcaWeighted } from './orca-weighted.ts';
import { LeastRequest, P2cPeakEwma } from './p2c.ts';
import { Prequal, type PrequalSettings } from './prequal.ts';
import { RoundRobin } from './round-robin.ts';

export type BalancerSettings =
  | { readonly kind: 'roundRobin' }
  | { readonly kind: 'leastRequest' }
  | { readonly kind: 'p2cPeakEwma' }
  | ({ readonly kind: 'orcaWeighted' } & WeightSettings)
  | ({ readonly kind: 'prequal' } & PrequalSettings);

export const defaultBalancer: BalancerSettings = { kind: 'p2cPeakEwma' };

export interface Balancer {
  /** Those that take requests; told again whenever they change. */
  setEndpoints(endpoints: readonly Endpoint[]): void;
  /** Undefined only when there are none. Endpoints that are out are avoided while there are others. */
  pick(nowMs: number): Endpoint | undefined;
  /** It answered; `isGood`: it did what was asked. Its own numbers, and its report, are up to date. */
  onAnswer(endpoint: Endpoint, latencyMs: number, isGood: boolean, nowMs: number): void;
}

export function makeBalancer(settings: BalancerSettings, random: Random): Balancer {
  switch (settings.kind) {
    case 'roundRobin':
      return new RoundRobin(random);
    case 'leastRequest':
      return new LeastRequest(random);
    case 'p2cPeakEwma':
      return new P2cPeakEwma(random);
    case 'orcaWeighted':
      return new OrcaWeighted(settings, random);
    case 'prequal':
      return new Prequal(settings, random);
  }
}

/** Whether it goes by what servers report. */
export function readsReports({ kind }: BalancerSettings): boolean {
  return kind === 'orcaWeighted' || kind === 'prequal';
}
