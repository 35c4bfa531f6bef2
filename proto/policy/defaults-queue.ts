/** The queue with nothing left open. */
import type { QueueSpec } from './schema-queue.ts';

const defaultQueue: Required<QueueSpec> = { requestsMax: 100, bytesMax: '1MiB', waitMax: '200ms' };

export type EffectiveQueue = Required<QueueSpec>;

export function queueWithDefaults(queue: QueueSpec): EffectiveQueue {
  return { ...defaultQueue, ...queue };
}
