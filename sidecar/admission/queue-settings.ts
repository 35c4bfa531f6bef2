/**
 * What a queue may hold, and in which order and how long it lets wait. Every part of the discipline can be had without
 * the others; `fifo` is none of them and `full` all.
 */
export interface QueueBounds {
  readonly requestsMax: number;
  readonly bytesMax: number;
  readonly waitMaxMs: number;
}

/**
 * Who goes when somebody comes and there is no room:
 *
 *   newest          the newcomer
 *   oldest          who has waited longest
 *   random          any of those who wait, or the newcomer
 *   lowestPriority  one of the least important tier, if the newcomer is no less important than that; of the tenant that
 *                   has most waiting there
 */
export type WhenFull = 'newest' | 'oldest' | 'random' | 'lowestPriority';

export interface QueueDiscipline {
  /** Important tiers first; else all are one. */
  readonly priority: boolean;
  /** Of a tenant's requests in a tier, those of important users first. */
  readonly byUserLevel: boolean;
  /** Tenants that are told apart while they wait, each with its turn within a tier; 0 = they are not. */
  readonly tenantsMax: number;
  /** Requests in a turn of that tenant; others have 1. */
  readonly tenantWeights: Readonly<Record<string, number>>;
  /** A tier that was never empty for this long has too much. */
  readonly intervalMs: number;
  /** Then nobody waits there for longer than this, or twice the service time, whichever is more; 0 = no such limit. */
  readonly targetMs: number;
  /** Then the newest go first. */
  readonly adaptiveLifo: boolean;
  /** Refuse what has less time left than a request usually takes; else only what has none. */
  readonly deadlineMargin: boolean;
  readonly whenFull: WhenFull;
}

export interface QueueSettings extends QueueBounds, QueueDiscipline {}

export const fifo: QueueDiscipline = {
  priority: false,
  byUserLevel: false,
  tenantsMax: 0,
  tenantWeights: {},
  intervalMs: 100,
  targetMs: 0,
  adaptiveLifo: false,
  deadlineMargin: false,
  whenFull: 'newest',
};

export const full: QueueDiscipline = {
  priority: true,
  byUserLevel: false,
  tenantsMax: 1000,
  tenantWeights: {},
  intervalMs: 100,
  targetMs: 5,
  adaptiveLifo: true,
  deadlineMargin: true,
  whenFull: 'lowestPriority',
};
