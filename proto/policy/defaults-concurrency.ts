/** A concurrency limit with nothing left open. What is missing gives way to what is there: min ≤ initial ≤ max. */
import type { ConcurrencySpec } from './schema-concurrency.ts';

type Filled<Kind extends keyof ConcurrencySpec> = Required<NonNullable<ConcurrencySpec[Kind]>>;

/** One of them is there. */
export interface EffectiveConcurrency {
  vegasBdp?: Filled<'vegasBdp'>;
  fixed?: Filled<'fixed'>;
  aimd?: Filled<'aimd'>;
  vegas?: Filled<'vegas'>;
  gradient2?: Filled<'gradient2'>;
  envoyGradient?: Filled<'envoyGradient'>;
}

interface Range {
  min: number;
  max: number;
}

const common = { abandonAfter: '1s', streamsMax: 1000 };
const initialDefault = 20;

export function concurrencyWithDefaults(spec: ConcurrencySpec): EffectiveConcurrency {
  const { vegasBdp, fixed, aimd, vegas, gradient2, envoyGradient } = spec;
  return {
    ...(vegasBdp && { vegasBdp: { ...common, ...vegasBdp, ...withInitial(vegasBdp, { min: 1, max: 1000 }) } }),
    ...(fixed && { fixed: { ...common, ...fixed } }),
    ...(aimd && {
      aimd: { ...common, backoffPercent: 90, timeout: '5s', ...aimd, ...withInitial(aimd, { min: 1, max: 200 }) },
    }),
    ...(vegas && {
      vegas: { ...common, smoothingPercent: 100, ...vegas, ...withInitial(vegas, { min: 1, max: 1000 }) },
    }),
    ...(gradient2 && {
      gradient2: {
        ...common,
        tolerancePercent: 150,
        smoothingPercent: 20,
        queue: 4,
        ...gradient2,
        ...withInitial(gradient2, { min: 4, max: 200 }),
      },
    }),
    ...(envoyGradient && {
      envoyGradient: {
        ...common,
        bufferPercent: 25,
        minRttInterval: '1m',
        minRttRequests: 50,
        ...envoyGradient,
        ...rangeOf(envoyGradient, { min: 3, max: 1000 }),
      },
    }),
  };
}

function withInitial(written: { min?: number; max?: number; initial?: number }, standard: Range) {
  const { min, max } = rangeOf({ min: written.min, max: written.max, initial: written.initial }, standard);
  return { min, max, initial: written.initial ?? Math.min(max, Math.max(min, initialDefault)) };
}

/** A default never contradicts what was written. */
function rangeOf(
  { min, max, initial }: { min?: number | undefined; max?: number | undefined; initial?: number | undefined },
  standard: Range,
): Range {
  return {
    min: min ?? Math.min(standard.min, max ?? standard.min, initial ?? standard.min),
    max: max ?? Math.max(standard.max, min ?? 0, initial ?? 0),
  };
}
