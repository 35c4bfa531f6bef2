/**
 * The rig in simulated time. From an experiment it makes
 *
 *   callers ──▶ [their sidecars: OutboundSide] ──wire──▶ sidecar: InboundSide ──▶ app ──▶ [its OutboundSide] ──wire──▶ …
 *
 * and lets it run, the same each time for the same seed. Callers without sidecars come straight to those of the service.
 */
import type { PolicySpec } from '../../../proto/policy/schema.ts';
import type { UpstreamConnection } from '../../../sidecar/exchange/http-stream.ts';
import { specOf } from '../policies.ts';
import { limitSampleMs, Recording } from '../recording.ts';
import type { CallerSpec, Experiment, PolicyParts, Rig, ServiceSpec } from '../scenario.ts';
import { App, type Callees } from './app.ts';
import { calleesOf } from './callees.ts';
import { Caller } from './caller.ts';
import type { Actor } from './event-queue.ts';
import { SimSidecar } from './sidecar.ts';
import { type Accept, Wire } from './wire.ts';
import { World } from './world.ts';

const defaultHopMs = 0.2;
/** After the last request, so that what is under way can end. */
const settleMs = 2000;

export const simulation: Rig = {
  live: false,
  run(experiment, policies, seed) {
    return new Simulation(experiment, policies, seed).run();
  },
};

class Simulation implements Actor {
  private readonly experiment: Experiment;
  private readonly world: World;
  private readonly hopMs: number;
  private readonly specs: ReadonlyMap<string, PolicySpec>;
  private readonly endpoints: ReadonlyMap<string, readonly string[]>;
  private readonly connections = new Map<string, UpstreamConnection>();
  private readonly byService = new Map<string, SimSidecar[]>();

  constructor(experiment: Experiment, policies: ReadonlyMap<string, PolicyParts>, seed: number) {
    this.experiment = experiment;
    this.hopMs = experiment.hopMs ?? defaultHopMs;
    this.world = new World(seed, new Recording(experiment.durationMs));
    this.specs = new Map([...policies].map(([service, parts]) => [service, specOf(service, parts)]));
    this.endpoints = new Map(
      experiment.services.map(({ name, replicas }, i) => [name, replicas.map((_, j) => `10.0.${i}.${j + 1}:80`)]),
    );
    for (const service of experiment.services) this.build(service);
    for (const caller of experiment.callers) this.buildCaller(caller);
    this.world.at(limitSampleMs, this, 0);
  }

  run(): Recording {
    this.world.run(this.experiment.durationMs + settleMs);
    return this.world.recording;
  }

  /** Samples what the sidecars' limits are. */
  onEvent(): void {
    for (const [name, sidecars] of this.byService) {
      const limits = sidecars.map(({ policy }) => policy.inbound.admission?.limit ?? 0);
      this.world.recording.service(name).limits.push(limits.reduce((sum, limit) => sum + limit, 0) / limits.length);
    }
    this.world.after(limitSampleMs, this, 0);
  }

  private build({ name, replicas }: ServiceSpec): void {
    const sidecars = replicas.map((spec, i) => {
      const sidecar = this.sidecar(`${name}-${i}`, name);
      const callees: Callees | null = spec.calls === undefined ? null : calleesOf(sidecar, spec.calls);
      const record = this.world.recording.service(name);
      sidecar.app = new App({ stage: this.world, spec, name: `${name}-${i}`, record, callees });
      const accept: Accept = (...request) => sidecar.acceptInbound(...request);
      this.connections.set(this.endpoints.get(name)![i]!, new Wire(this.world, this.hopMs, accept));
      return sidecar;
    });
    this.byService.set(name, sidecars);
  }

  private buildCaller(spec: CallerSpec): void {
    const doors: Accept[] = [];
    for (let i = 0; i < (spec.sidecars ?? 0); i++) {
      const sidecar = this.sidecar(`${spec.name}-${i}`, '');
      doors.push((...request) => sidecar.acceptOutbound(...request));
    }
    if (doors.length === 0) {
      for (const sidecar of this.byService.get(spec.service)!) {
        doors.push((...request) => sidecar.acceptInbound(...request));
      }
    }
    new Caller(this.world, spec, this.experiment.durationMs, doors);
  }

  private sidecar(name: string, service: string): SimSidecar {
    return new SimSidecar({
      world: this.world,
      name,
      service,
      policies: this.specs,
      endpoints: this.endpoints,
      connectionTo: (address) => this.connections.get(address),
    });
  }
}
