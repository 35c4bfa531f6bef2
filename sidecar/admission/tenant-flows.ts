/**
 * Deficit round robin among the tenants of each tier (Shreedhar and Varghese, 1995): a flow is what one tenant has
 * waiting in one tier. The flow in front takes as many requests as its quantum allows, then goes to the back, so two
 * tenants that both have somebody waiting are served in the ratio of their weights, give or take one turn.
 *
 * A flow exists while somebody waits in it, so the table holds tenants that wait now and is bounded by `tenantsMax`:
 * tenants beyond that share the turn of those who name none. Which flow of a tier is the largest is known at any time
 * from lists by size, since a size only moves by one.
 */
import { tierCount } from '../../proto/tiers.ts';
import { grown, LinkedLists, none } from './linked-lists.ts';

const initialFlows = 16;
const initialSizes = 16;

export class TenantFlows {
  /** Flow `tier` is that of the nameless; named ones come after. */
  private names: string[] = [];
  private tiers = new Int32Array(initialFlows);
  private sizes = new Int32Array(initialFlows);
  private quanta = new Int32Array(initialFlows);
  private deficits = new Int32Array(initialFlows);
  private busySince = new Float64Array(initialFlows);
  /** One list a tier, in order of turns. */
  private readonly turns = new LinkedLists(tierCount, initialFlows);
  /** One list for each tier and size. */
  private readonly bySize = new LinkedLists(tierCount * initialSizes, initialFlows);
  private readonly largestSizes = new Int32Array(tierCount);
  private readonly byName: Map<string, number>[] = [];
  private readonly free: number[] = [];
  private named = 0;
  private weights = new Map<string, number>();
  private namedMax = 0;

  constructor() {
    for (let tier = 0; tier < tierCount; tier++) {
      this.byName.push(new Map());
      this.names.push('');
      this.tiers[tier] = tier;
      this.quanta[tier] = 1;
    }
  }

  /** How many flows there may ever have been; they are numbered below it. */
  get capacity(): number {
    return this.names.length;
  }

  /** Named flows that somebody waits in. */
  get namedCount(): number {
    return this.named;
  }

  /** Flows that are there keep their weight. */
  configure(namedMax: number, weights: Readonly<Record<string, number>>): void {
    this.namedMax = namedMax;
    this.weights = new Map(Object.entries(weights));
    for (let tier = 0; tier < tierCount; tier++) this.quanta[tier] = this.weightOf('');
  }

  /** The flow that a request of this tenant belongs to. It has to grow() at once. */
  flowFor(tier: number, tenant: string): number {
    if (tenant === '' || this.namedMax === 0) return tier;
    return this.byName[tier]!.get(tenant) ?? (this.named < this.namedMax ? this.create(tier, tenant) : tier);
  }

  /** The same without making one: none when nobody of this tenant waits and it would get a flow of its own. */
  find(tier: number, tenant: string): number {
    if (tenant === '' || this.namedMax === 0) return tier;
    return this.byName[tier]!.get(tenant) ?? (this.named < this.namedMax ? none : tier);
  }

  tierOf(flow: number): number {
    return this.tiers[flow]!;
  }

  /** Since when somebody has always waited in that flow; without meaning when nobody does. */
  busySinceMs(flow: number): number {
    return this.busySince[flow]!;
  }

  sizeOf(flow: number): number {
    return this.sizes[flow]!;
  }

  /** Whose turn it is in that tier; none when nobody waits. */
  current(tier: number): number {
    return this.turns.first(tier);
  }

  /** The flow with most waiting; none when nobody waits. */
  largest(tier: number): number {
    const size = this.largestSizes[tier]!;
    return size === 0 ? none : this.bySize.first(size * tierCount + tier);
  }

  grow(flow: number, nowMs: number): void {
    const tier = this.tiers[flow]!;
    const size = this.sizes[flow]!;
    if (size === 0) {
      this.turns.append(tier, flow);
      this.deficits[flow] = 0;
      this.busySince[flow] = nowMs;
    } else this.bySize.remove(size * tierCount + tier, flow);
    const list = (size + 1) * tierCount + tier;
    this.bySize.growLists(list + 1);
    this.bySize.append(list, flow);
    this.sizes[flow] = size + 1;
    if (size === this.largestSizes[tier]) this.largestSizes[tier] = size + 1;
  }

  shrink(flow: number): void {
    const tier = this.tiers[flow]!;
    const size = this.sizes[flow]!;
    const list = size * tierCount + tier;
    this.bySize.remove(list, flow);
    if (this.largestSizes[tier] === size && this.bySize.first(list) === none) this.largestSizes[tier] = size - 1;
    this.sizes[flow] = size - 1;
    if (size > 1) this.bySize.append(list - tierCount, flow);
    else this.end(flow, tier);
  }

  /** One of the flow's requests is served, as part of its turn. Before it shrinks by it. */
  charge(flow: number): void {
    const left = (this.deficits[flow]! || this.quanta[flow]!) - 1;
    this.deficits[flow] = left;
    if (left > 0) return;
    const tier = this.tiers[flow]!;
    this.turns.remove(tier, flow);
    this.turns.append(tier, flow);
  }

  private create(tier: number, tenant: string): number {
    let flow = this.free.pop();
    if (flow === undefined) {
      flow = this.names.length;
      this.names.push('');
      if (flow === this.tiers.length) this.growFlows(flow * 2);
    }
    this.names[flow] = tenant;
    this.tiers[flow] = tier;
    this.sizes[flow] = 0;
    this.quanta[flow] = this.weightOf(tenant);
    this.byName[tier]!.set(tenant, flow);
    this.named++;
    return flow;
  }

  private end(flow: number, tier: number): void {
    this.turns.remove(tier, flow);
    if (flow < tierCount) return;
    this.byName[tier]!.delete(this.names[flow]!);
    this.names[flow] = '';
    this.free.push(flow);
    this.named--;
  }

  private weightOf(tenant: string): number {
    return this.weights.get(tenant) ?? 1;
  }

  private growFlows(count: number): void {
    this.tiers = grown(this.tiers, count);
    this.sizes = grown(this.sizes, count);
    this.quanta = grown(this.quanta, count);
    this.deficits = grown(this.deficits, count);
    const busySince = new Float64Array(count);
    busySince.set(this.busySince);
    this.busySince = busySince;
    this.turns.growItems(count);
    this.bySize.growItems(count);
  }
}
