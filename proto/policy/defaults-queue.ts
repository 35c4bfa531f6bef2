/** The queue with nothing left open. */
import type { QueueSpec } from './schema-queue.ts';

interface Switches {
  priority: boolean;
  tenantFair: { enabled: boolean; tenantsMax: number; weights: { name: string; weight: number }[] };
  codel: { enabled: boolean; target: string; interval: string };
  adaptiveLifo: boolean;
  deadlineMargin: boolean;
  whenFull: NonNullable<QueueSpec['whenFull']>;
}

/** Without a queue there is nothing else to say of it. */
export type EffectiveQueue =
  | { discipline: 'none' }
  | ({ discipline: 'full' | 'fifo'; requestsMax: number; bytesMax: string; waitMax: string } & Switches);

export function queueWithDefaults(queue: QueueSpec): EffectiveQueue {
  const { discipline = 'full' } = queue;
  if (discipline === 'none') return { discipline };
  const on = discipline === 'full';
  return {
    discipline,
    requestsMax: queue.requestsMax ?? 100,
    bytesMax: queue.bytesMax ?? '1MiB',
    waitMax: queue.waitMax ?? '200ms',
    priority: queue.priority ?? on,
    tenantFair: {
      enabled: queue.tenantFair?.enabled ?? (on || queue.tenantFair !== undefined),
      tenantsMax: queue.tenantFair?.tenantsMax ?? 1000,
      weights: queue.tenantFair?.weights ?? [],
    },
    codel: {
      enabled: queue.codel?.enabled ?? (on || queue.codel !== undefined),
      target: queue.codel?.target ?? '5ms',
      interval: queue.codel?.interval ?? '100ms',
    },
    adaptiveLifo: queue.adaptiveLifo ?? on,
    deadlineMargin: queue.deadlineMargin ?? on,
    whenFull: queue.whenFull ?? (on ? 'lowestPriority' : 'newest'),
  };
}
