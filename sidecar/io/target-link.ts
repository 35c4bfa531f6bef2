/** A target in use as the control link sees it: its breaker, what was counted, and where endpoints go. */
import type { Endpoint } from '../../proto/fleet-messages.ts';
import type { Target } from '../exchange/targets.ts';
import type { TargetLink } from './control-link/mesh.ts';
import type { Plane } from './plane.ts';

export class ProxyTargetLink implements TargetLink {
  readonly key: string;
  private readonly target: Target;
  private readonly plane: Plane;

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

  setEndpoints(endpoints: readonly Endpoint[]): void {
    this.plane.setEndpoints(this.key, endpoints);
  }
}
