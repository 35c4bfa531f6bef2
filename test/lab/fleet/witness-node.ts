/** A sidecar beside the service that is called: it says how its app fares when the fleet asks. */
import type { Verdict } from '../../../proto/fleet-messages.ts';
import { XorShift32 } from '../../../proto/kernel/random.ts';
import { FleetCaller } from '../../../sidecar/resilience/fleet-caller.ts';
import type { Actor } from '../sim/event-queue.ts';
import type { FleetStage } from './fleet-stage.ts';

const tickMs = 25;

export class WitnessNode implements Actor {
  readonly id: string;
  private readonly world: FleetStage;
  private readonly fleet: FleetCaller;
  private seq = 0;

  constructor(world: FleetStage, index: number, seed: number) {
    this.world = world;
    this.id = `payments-${index}`;
    const identity = {
      namespace: 'shop',
      service: 'payments',
      instance: this.id,
      incarnation: 'a',
      zone: '',
      version: '',
    };
    const { service, options } = world;
    // Each has its part of what reaches the service.
    const part = (count: number) => Math.floor((count + index) / (options.witnesses ?? 1));
    const own = () => ({
      requests: part(service.requests),
      success: part(service.answered),
      failure: part(service.failures),
    });
    this.fleet = new FleetCaller({ identity, random: new XorShift32(seed), own, nextSeq: () => ++this.seq });
    world.queue.schedule(world.nowMs + (index % tickMs), this, 0);
  }

  onEvent(_code: number, nowMs: number): void {
    this.world.queue.schedule(nowMs + tickMs, this, 0);
    for (const message of this.fleet.tick(nowMs, nowMs, true)) {
      if (message.kind !== 'check') this.world.hear(this.id, message, nowMs);
    }
  }

  onVerdict(verdict: Verdict, nowMs: number): void {
    this.fleet.onVerdict(verdict, nowMs, nowMs);
  }
}
