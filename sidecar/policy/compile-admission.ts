/** Concurrency limit and queue from a spec to settings. */
import type { EffectiveInbound } from '../../proto/policy/defaults-inbound.ts';
import type { AdmissionSettings } from '../admission/admission.ts';
import { bytes, milliseconds } from './units.ts';

/** A limit that is never reached; requests are counted all the same. */
export const unlimited: AdmissionSettings = { limit: Number.MAX_SAFE_INTEGER, queue: null };

/** null: nothing limits how many are in the service. In shadow everybody is admitted, and counted. */
export function admissionSettings({ concurrency, queue }: EffectiveInbound, shadow: boolean): AdmissionSettings | null {
  const limit = concurrency?.fixed?.limit ?? 0;
  if (limit === 0) return null;
  if (shadow) return unlimited;
  const waiting = queue && {
    requestsMax: queue.requestsMax,
    bytesMax: bytes(queue.bytesMax),
    waitMaxMs: milliseconds(queue.waitMax),
  };
  return { limit, queue: waiting ?? null };
}
