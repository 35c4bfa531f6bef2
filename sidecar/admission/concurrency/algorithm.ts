/** The algorithms by name, as settings choose them. */
import { AimdLimit, type AimdSettings } from './aimd-limit.ts';
import { type ConcurrencyLimit, estimateCell, type LimitRange, within } from './concurrency-limit.ts';
import { EnvoyGradientLimit, type EnvoyGradientSettings } from './envoy-gradient-limit.ts';
import { FixedLimit } from './fixed-limit.ts';
import { Gradient2Limit, type Gradient2Settings } from './gradient2-limit.ts';
import { VegasBdpLimit } from './vegas-bdp-limit.ts';
import { VegasLimit, type VegasSettings } from './vegas-limit.ts';

export type AlgorithmSettings =
  | { readonly kind: 'fixed'; readonly limit: number }
  | ({ readonly kind: 'vegasBdp' } & LimitRange)
  | ({ readonly kind: 'aimd' } & AimdSettings)
  | ({ readonly kind: 'vegas' } & VegasSettings)
  | ({ readonly kind: 'gradient2' } & Gradient2Settings)
  | ({ readonly kind: 'envoyGradient' } & EnvoyGradientSettings);

/** Numbers that any of them needs at most. */
export const algorithmCells = Math.max(
  VegasBdpLimit.cells,
  AimdLimit.cells,
  VegasLimit.cells,
  Gradient2Limit.cells,
  EnvoyGradientLimit.cells,
);

/**
 * `cells` zeroed, or those of another thread's: then it is the same limit. One that knows nothing yet begins at `from`, if
 * that is not 0.
 */
export function createLimit(
  settings: AlgorithmSettings,
  cells: Float64Array = new Float64Array(algorithmCells),
  from = 0,
): ConcurrencyLimit {
  if (from > 0 && cells[estimateCell] === 0 && settings.kind !== 'fixed') cells[estimateCell] = within(settings, from);
  return limitOf(settings, cells);
}

function limitOf(settings: AlgorithmSettings, cells: Float64Array): ConcurrencyLimit {
  switch (settings.kind) {
    case 'fixed':
      return new FixedLimit(settings.limit);
    case 'vegasBdp':
      return new VegasBdpLimit(settings, cells);
    case 'aimd':
      return new AimdLimit(settings, cells);
    case 'vegas':
      return new VegasLimit(settings, cells);
    case 'gradient2':
      return new Gradient2Limit(settings, cells);
    case 'envoyGradient':
      return new EnvoyGradientLimit(settings, cells);
  }
}
