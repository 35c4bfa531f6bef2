/**
 * The data plane as the control side sees it: what it may read and the few things it may ask for. The control side does
 * not know in how many threads the requests run.
 */
import type { PolicySpec } from '../../proto/policy/schema.ts';
import type { DeliveryCredit } from '../admission/delivery-credit.ts';
import type { DeliveryEnd } from '../exchange/delivery.ts';
import type { Targets } from '../exchange/targets.ts';
import type { RecordedTraffic } from '../exchange/traffic-recording.ts';
import type { TrafficStats } from '../exchange/traffic-stats.ts';
import type { StreamView } from '../http2/flow-view.ts';
import type { LivePolicy, PolicyOrigin } from '../policy/swap.ts';
import type { EndpointInput } from '../routing/cluster.ts';
import type { PlaneReadings } from './plane-readings.ts';
import type { DeliveryRequest } from './queue/deliveries.ts';

export interface WorkerReading {
  readonly worker: number;
  readonly isRunning: boolean;
  readonly connections: number;
  /** How often a worker at this place died. */
  readonly deaths: number;
}

export interface Plane extends PlaneReadings {
  /** Of the own service. */
  readonly policy: LivePolicy;
  /** How many requests the own app wants; who adds to it calls `policy.onCredit`. */
  readonly delivery: DeliveryCredit;
  readonly inboundTraffic: TrafficStats;
  readonly unrouted: TrafficStats;
  readonly targets: Targets;
  /** Of breakers, by "upstream|from|to". */
  readonly transitions: ReadonlyMap<string, number>;
  /** The streams that hold most, as of now. */
  streamViews(): StreamView[] | Promise<StreamView[]>;
  /** Empty where requests run in the main thread. */
  readonly workers: readonly WorkerReading[];
  /** The requests that arrived for the app lately. */
  recordedTraffic(): RecordedTraffic | Promise<RecordedTraffic>;
  /** Makes the traffic counters say what is so now. */
  refresh(): void;
  /**
   * For the own service or a target in use. Throws when the spec cannot be compiled; then nothing has changed. A promise
   * resolves when the policy is in force in every thread.
   */
  applyPolicy(target: string, spec: PolicySpec | null, origin: PolicyOrigin, nowMs: number): Promise<void> | undefined;
  /** Gives the app a request that has no caller; null where that cannot be done. */
  readonly deliver: ((request: DeliveryRequest) => Promise<DeliveryEnd>) | null;
  /** Content kept for requests that may be parked. */
  readonly parkingBytes: number;
  setEndpoints(target: string, list: readonly EndpointInput[]): void;
}
