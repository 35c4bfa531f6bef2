/**
 * Who exists in the demo. Two identical shops get the same load at the same moments:
 *
 *   without Weir                         with Weir
 *   load → orders ×4 ─┬→ payments ×2     load → ▢ orders ×4 ▢ ─┬→ ▢ payments ×2
 *                     └→ inventory ×1                          └→ ▢ inventory ×1      ▢ = a sidecar
 *
 * `payments` is the bottleneck on purpose: 2 instances × 5 workers / 32 ms = 312 requests/s; the other two have an order
 * of magnitude to spare. A service process serves both shops, on two ports with workers of their own: seven processes
 * instead of fourteen. Rates are modest, because the shops, the sidecars and the load share one machine, and a figure is
 * only worth something while the machine itself is not the limit. For the same reason overload is made from both ends,
 * as it is in life: payments gets slower (a bad disk), and its callers want more.
 */
export type Side = 'without' | 'with';
export const sides: readonly Side[] = ['without', 'with'];

export type ServiceKind = 'orders' | 'payments' | 'inventory';

export const namespace = 'shop';

export interface ServiceSpec {
  readonly kind: ServiceKind;
  readonly instances: number;
  readonly workers: number;
  readonly serviceMs: number;
}

export const topology: readonly ServiceSpec[] = [
  { kind: 'orders', instances: 4, workers: 16, serviceMs: 2 },
  { kind: 'payments', instances: 2, workers: 5, serviceMs: 32 },
  { kind: 'inventory', instances: 1, workers: 16, serviceMs: 5 },
];

/** Requests that one instance keeps waiting: 3 s of work for a `payments` instance, 10 s for a slow one. */
export const appQueueMax = 500;

/** A caller of `orders` has no use for an answer after this. */
export const deadlineMs = 400;

/** Each of the four `orders` gets at least 50 requests/s that lead to `payments`. */
export const calmPaymentsPerSecond = 204;
export const calmInventoryPerSecond = 12;

/** Under overload payments takes so many times longer, and is asked for so many times what it then can do. */
export const overloadSlowFactor = 3;
export const overloadFactor = 3;

/** What `orders` writes into :authority, and what the sidecar routes by. */
export function authorityOf(kind: ServiceKind): string {
  return `${kind}.${namespace}`;
}

export function specOf(kind: ServiceKind): ServiceSpec {
  const spec = topology.find((candidate) => candidate.kind === kind);
  if (spec === undefined) throw new Error(`the topology has no ${kind}`);
  return spec;
}

export interface Member {
  readonly kind: ServiceKind;
  readonly index: number;
  /** `payments-0` */
  readonly instance: string;
}

export function members(): Member[] {
  return topology.flatMap((spec) =>
    Array.from({ length: spec.instances }, (_, index) => ({
      kind: spec.kind,
      index,
      instance: `${spec.kind}-${index}`,
    })),
  );
}

/** Requests per second by the book: what a service could do if timers were exact. */
export function nominalCapacity(kind: ServiceKind): number {
  const { instances, workers, serviceMs } = specOf(kind);
  return (instances * workers * 1_000) / serviceMs;
}
