/** The concurrency limit from a spec to settings: percents become shares. */
import { assert } from '../../proto/kernel/assert.ts';
import type { EffectiveConcurrency } from '../../proto/policy/defaults-concurrency.ts';
import type { AlgorithmSettings } from '../admission/concurrency/algorithm.ts';
import { milliseconds } from './units.ts';

export function algorithmSettings(spec: EffectiveConcurrency): AlgorithmSettings {
  const { vegasBdp, fixed, aimd, vegas, gradient2, envoyGradient } = spec;
  if (fixed) return { kind: 'fixed', limit: fixed.limit };
  if (vegasBdp) return { kind: 'vegasBdp', ...rangeOf(vegasBdp) };
  if (aimd) {
    const { backoffPercent, timeout } = aimd;
    return { kind: 'aimd', ...rangeOf(aimd), backoff: backoffPercent / 100, timeoutMs: milliseconds(timeout) };
  }
  if (vegas) return { kind: 'vegas', ...rangeOf(vegas), smoothing: vegas.smoothingPercent / 100 };
  if (gradient2) {
    const { tolerancePercent, smoothingPercent, queue } = gradient2;
    const range = rangeOf(gradient2);
    return { kind: 'gradient2', ...range, tolerance: tolerancePercent / 100, smoothing: smoothingPercent / 100, queue };
  }
  assert(envoyGradient !== undefined, 'a concurrency limit is of one kind');
  return {
    kind: 'envoyGradient',
    ...rangeOf({ ...envoyGradient, initial: envoyGradient.min }),
    buffer: envoyGradient.bufferPercent / 100,
    minRttIntervalMs: milliseconds(envoyGradient.minRttInterval),
    minRttRequests: envoyGradient.minRttRequests,
  };
}

/** What every kind has. */
export function commonOf(spec: EffectiveConcurrency): { readonly abandonAfter: string; readonly streamsMax: number } {
  const kind = spec.vegasBdp ?? spec.fixed ?? spec.aimd ?? spec.vegas ?? spec.gradient2 ?? spec.envoyGradient;
  assert(kind !== undefined, 'a concurrency limit is of one kind');
  return kind;
}

function rangeOf({ min, max, initial }: { min: number; max: number; initial: number }) {
  return { min, max, initial };
}
