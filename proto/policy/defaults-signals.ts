/** Signals with nothing left open. */
import type { OrcaSpec, SignalsSpec } from './schema-signals.ts';

export interface EffectiveSignals {
  rateLimitFields: boolean;
  orca?: Required<OrcaSpec>;
}

export function signalsWithDefaults({ rateLimitFields, orca }: SignalsSpec): EffectiveSignals {
  return {
    rateLimitFields: rateLimitFields ?? false,
    ...(orca && { orca: { to: orca.to ?? 'mesh' } }),
  };
}
