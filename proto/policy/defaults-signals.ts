/** Signals with nothing left open. */
import type { SignalsSpec } from './schema-signals.ts';

export interface EffectiveSignals {
  rateLimitFields: boolean;
}

export function signalsWithDefaults(signals: SignalsSpec): EffectiveSignals {
  return { rateLimitFields: signals.rateLimitFields ?? false };
}
