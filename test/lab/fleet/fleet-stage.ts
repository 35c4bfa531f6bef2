/** What the nodes of a simulated fleet need of the world that they are in, and how such a world is described. */
import type { Decisions } from '../../../control-plane/coordination/breaker-coordinator.ts';
import type { LeaseAction, LeaseResult } from '../../../control-plane/coordination/leader-lease.ts';
import type { BreakerSettings } from '../../../sidecar/resilience/breaker-settings.ts';
import type { Outgoing } from '../../../sidecar/resilience/fleet-caller.ts';
import type { EventQueue } from '../sim/event-queue.ts';
import type { FleetRecording } from './fleet-recording.ts';
import type { Network, NetworkFaults } from './network.ts';
import type { ServiceNode, ServicePlan } from './service-node.ts';

export interface FleetWorldOptions {
  readonly seed: number;
  readonly durationMs: number;
  readonly callers: number;
  readonly rpsEach: number;
  readonly controlPlanes: number;
  readonly plan: ServicePlan;
  readonly network: NetworkFaults;
  readonly local: BreakerSettings;
  readonly timeoutMs: number;
  /** Without it everybody has its own breaker only. */
  readonly fleet: boolean;
  /** Clocks are up to so far off, in either direction. */
  readonly skewMaxMs?: number;
  readonly zones?: number;
  /** Sidecars of the service itself. */
  readonly witnesses?: number;
  /** Its every call fails from `faultyFromMs` on, whatever the service does. */
  readonly isFaulty?: (caller: number) => boolean;
  readonly faultyFromMs?: number;
}

/** As the policy's defaults have it, but for `openForMax`, which is 2 s there: these worlds were measured with 15 s. */
export const localDefaults: BreakerSettings = {
  consecutiveFailures: 5,
  failureRatio: { percent: 50, minRequests: 20, windowMs: 2000, windowRequests: 0 },
  slowCalls: null,
  openForMs: 1000,
  openForMaxMs: 15_000,
  probes: 3,
  probeTimeoutMs: 10_000,
};

export interface FleetStage {
  readonly target: string;
  readonly options: FleetWorldOptions;
  readonly queue: EventQueue;
  readonly network: Network;
  readonly service: ServiceNode;
  readonly recording: FleetRecording;
  readonly notesArrivals: boolean;
  readonly nowMs: number;
  /** What a control plane has decided goes out. */
  publish(from: string, decisions: Decisions, nowMs: number): void;
  /** What a sidecar says goes out. */
  hear(from: string, message: Exclude<Outgoing, { kind: 'check' }>, nowMs: number): void;
  /** Asks the store of the lease; everybody hears of what was written. */
  askStore(
    from: string,
    action: Exclude<LeaseAction, { kind: 'wait' }>,
    nowMs: number,
    answer: (result: LeaseResult, atMs: number) => void,
  ): void;
}
