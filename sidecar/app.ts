/**
 * The whole proxy, assembled:
 *
 *   callers, the app ──▶ DataPlane ──▶ the app, other services       the path of requests (data-plane.ts), here or
 *                            ▲                                       in N worker threads (workers.ts)
 *                            │ policies, endpoints, verdicts; counts back
 *                            ▼
 *   operators, fleet ──▶ ControlSide                                 doors and control link (control-side.ts)
 */
import type { Log } from '../proto/kernel/log-format.ts';
import type { PolicySpec } from '../proto/policy/schema.ts';
import type { SidecarConfig } from './config.ts';
import { ControlSide, type ProcessFacts, type Secrets } from './control-side.ts';
import { DataPlane } from './data-plane.ts';
import { standingPolicies } from './file-policies.ts';
import { JetStreamParker } from './io/queue/jet-stream-parker.ts';
import { Workers } from './workers.ts';

export type { ProcessFacts, Secrets } from './control-side.ts';

export class Sidecar {
  private readonly log: Log;
  private readonly plane: DataPlane | Workers;
  private readonly control: ControlSide;
  private isDraining = false;

  constructor(
    config: SidecarConfig,
    secrets: Secrets,
    facts: ProcessFacts,
    filePolicies: ReadonlyMap<string, PolicySpec>,
    log: Log,
  ) {
    this.log = log;
    const { meshToken } = secrets;
    const { seed } = facts;
    const parker = new JetStreamParker({
      from: config.service,
      incarnation: facts.incarnation,
      memoryBytesMax: config.parkingMemoryMax,
    });
    this.plane =
      config.concurrency === 1
        ? new DataPlane({
            config,
            meshToken,
            seed,
            policies: standingPolicies(filePolicies),
            log,
            parker,
            common: null,
          })
        : new Workers({ config, meshToken, seed, filePolicies, log, parker, incarnation: facts.incarnation });
    this.control = new ControlSide({
      config,
      secrets,
      facts,
      log,
      plane: this.plane,
      parker,
      isDraining: () => this.isDraining,
      drain: () => this.drain(),
    });
    this.plane.onBreakerTransition = (target) => this.control.onBreakerTransition(target);
  }

  /** Serves first; the control plane connects in the background. Resolves with the addresses. */
  async start(): Promise<Readonly<Record<string, unknown>>> {
    const serving = await this.plane.listen();
    return { ...serving, ...(await this.control.start(serving.inbound ?? '')) };
  }

  /** No new work from callers; what is in flight goes on. */
  drain(): void {
    if (this.isDraining) return;
    this.isDraining = true;
    this.log.info('draining', { inFlight: this.inFlight });
    this.plane.drain();
    this.control.onDrain();
  }

  get inFlight(): number {
    this.plane.refresh();
    return this.plane.inboundTraffic.inFlight;
  }

  /** Every request has its answer, and every caller's connection has had its two GOAWAYs and is closed. */
  get isDrained(): boolean {
    return this.inFlight === 0 && this.plane.drainingConnections === 0;
  }

  async stop(): Promise<void> {
    await this.control.close();
    await this.plane.close();
  }
}
