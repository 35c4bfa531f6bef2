/** One route of a service across policies: what has state in the sections that it has for itself, and its counts. */
import type { BreakerTransition } from '../resilience/breaker.ts';
import { LiveInbound } from './live-inbound.ts';
import { LiveOutbound } from './live-outbound.ts';
import { RouteCounts } from './route-counts.ts';
import { memoryForRouteCounts, type PolicyMemory, type Sharing } from './sharing.ts';

export class LiveRoute {
  readonly name: string;
  readonly inbound: LiveInbound;
  readonly outbound: LiveOutbound;
  readonly counts: RouteCounts;
  private readonly countsMemory: SharedArrayBuffer | null;

  constructor(
    name: string,
    sharing: Sharing,
    given: PolicyMemory | null,
    onTransition: ((transition: BreakerTransition) => void) | undefined,
  ) {
    this.name = name;
    this.inbound = new LiveInbound(sharing);
    this.outbound = new LiveOutbound(sharing, onTransition);
    this.countsMemory = given?.counts ?? memoryForRouteCounts(sharing);
    this.counts = new RouteCounts(name, sharing.seat, this.countsMemory ?? undefined);
  }

  get memory(): PolicyMemory {
    return { ...this.inbound.memory, ...this.outbound.memory, counts: this.countsMemory, routes: noRoutes };
  }
}

const noRoutes: ReadonlyMap<string, PolicyMemory> = new Map();
