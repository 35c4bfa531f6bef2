/** A target in use as the control link sees it: its breaker, what was counted, and where endpoints go. */
import type { Endpoint } from '../../proto/fleet-messages.ts';
import type { Target } from '../exchange/targets.ts';
import { tick } from './clock.ts';
import type { TargetLink } from './control-link/mesh.ts';
import type { Plane } from './plane.ts';

export class ProxyTargetLink implements TargetLink {
  readonly key: string;
  private readonly target: Target;
  private readonly plane: Plane;
  private known: readonly Endpoint[] | null = null;
  private ejected: ReadonlySet<string> = new Set();

  constructor(target: Target, plane: Plane) {
    this.target = target;
    this.plane = plane;
    this.key = target.key;
  }

  get breaker(): TargetLink['breaker'] {
    return this.target.policy.outbound.breaker;
  }

  get counts(): TargetLink['counts'] {
    return this.target.cluster.counts;
  }

  get onFailure(): (() => void) | undefined {
    return this.target.onFailure ?? undefined;
  }

  set onFailure(callback: (() => void) | undefined) {
    this.target.onFailure = callback ?? null;
  }

  get onProbe(): (() => void) | undefined {
    return this.target.onProbe ?? undefined;
  }

  set onProbe(callback: (() => void) | undefined) {
    this.target.onProbe = callback ?? null;
  }

  anyAddress(): string {
    const { endpoints } = this.target.cluster;
    return endpoints[Math.floor(tick()) % Math.max(1, endpoints.length)]?.address ?? '';
  }

  setEndpoints(endpoints: readonly Endpoint[]): void {
    this.known = endpoints;
    this.tellEndpoints();
  }

  setEjected(addresses: readonly string[]): void {
    this.ejected = new Set(addresses);
    this.tellEndpoints();
  }

  /** What the fleet has ejected is used like what drains: when there is nothing else. */
  private tellEndpoints(): void {
    const { known, ejected } = this;
    if (known === null) return;
    const list =
      ejected.size === 0 ? known : known.map((one) => (ejected.has(one.address) ? { ...one, draining: true } : one));
    this.plane.setEndpoints(this.key, list);
  }
}
