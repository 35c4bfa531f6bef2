/** Concurrency limit and queue from a spec to settings. */
import type { EffectiveInbound } from '../../proto/policy/defaults-inbound.ts';
import type { EffectiveQueue } from '../../proto/policy/defaults-queue.ts';
import type { AdmissionSettings } from '../admission/admission.ts';
import type { QueueSettings } from '../admission/queue-settings.ts';
import { algorithmSettings, commonOf } from './compile-concurrency.ts';
import { bytes, milliseconds } from './units.ts';

/** A limit that is never reached; requests are counted all the same. */
export const unlimited: AdmissionSettings = { limit: Number.MAX_SAFE_INTEGER, queue: null };

/** null: nothing limits how many are in the service. */
export function admissionSettings(
  { concurrency, queue, levels }: EffectiveInbound,
  shadow: boolean,
): AdmissionSettings | null {
  if (concurrency === undefined) return null;
  const { abandonAfter, streamsMax } = commonOf(concurrency);
  const algorithm = algorithmSettings(concurrency);
  return {
    ...(algorithm.kind === 'fixed' ? { limit: algorithm.limit } : { limit: algorithm.initial, algorithm }),
    abandonAfterMs: milliseconds(abandonAfter),
    streamsMax,
    queue: queue === undefined ? null : queueSettings(queue, levels !== undefined),
    shadow,
  };
}

function queueSettings(queue: EffectiveQueue, hasLevels: boolean): QueueSettings | null {
  if (queue.discipline === 'none') return null;
  const { requestsMax, priority, tenantFair, codel, adaptiveLifo, deadlineMargin, whenFull } = queue;
  return {
    requestsMax,
    bytesMax: bytes(queue.bytesMax),
    waitMaxMs: milliseconds(queue.waitMax),
    priority,
    byUserLevel: priority && hasLevels,
    tenantsMax: tenantFair.enabled ? tenantFair.tenantsMax : 0,
    tenantWeights: Object.fromEntries(tenantFair.weights.map(({ name, weight }) => [name, weight])),
    intervalMs: milliseconds(codel.interval),
    targetMs: codel.enabled ? milliseconds(codel.target) : 0,
    adaptiveLifo,
    deadlineMargin,
    whenFull,
  };
}
