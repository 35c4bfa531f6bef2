/**
 * What the main thread and its workers say to each other. Numbers that many threads change are not here but in shared
 * memory; messages carry what changes rarely, and where that memory is.
 */
import type { MessagePort } from 'node:worker_threads';
import type { LogFields, LogLevel } from '../../../proto/kernel/log-format.ts';
import type { SidecarConfig } from '../../config.ts';
import type { DeliveryEnd } from '../../exchange/delivery.ts';
import type { Parkable } from '../../exchange/parker.ts';
import type { RecordedTraffic } from '../../exchange/traffic-recording.ts';
import type { StreamView } from '../../http2/flow-view.ts';
import type { StandingPolicy } from '../../policy/swap.ts';
import type { BreakerTransition } from '../../resilience/breaker.ts';
import type { TargetCountsView } from '../../resilience/target-counts.ts';
import type { EndpointInput } from '../../routing/cluster.ts';
import type { PlaneReadings } from '../plane-readings.ts';
import type { DeliveryRequest } from '../queue/deliveries.ts';

/** Memory that outlives the worker at this seat: its successor goes on counting there. */
export interface SeatMemory {
  readonly inboundTraffic: SharedArrayBuffer;
  readonly unrouted: SharedArrayBuffer;
  readonly targets: ReadonlyMap<string, SharedArrayBuffer>;
}

/** All a worker needs to begin: what was said to others before. */
export interface WorkerStart {
  readonly seat: number;
  readonly seats: number;
  readonly config: SidecarConfig;
  readonly meshToken: string | undefined;
  readonly seed: number;
  readonly keySeeds: readonly [number, number];
  readonly ticketSeed: Uint8Array;
  readonly clockOriginMs: number;
  /** By name of the place, such as `inbound`. */
  readonly descriptors: Readonly<Record<string, number>>;
  readonly memory: SeatMemory;
  readonly accessLines: SharedArrayBuffer;
  /** DeliveryCredit */
  readonly delivery: SharedArrayBuffer;
  readonly contexts: SharedArrayBuffer;
  readonly policies: ReadonlyMap<string, StandingPolicy>;
  readonly endpoints: ReadonlyMap<string, readonly EndpointInput[]>;
  readonly isDraining: boolean;
  readonly parking: { readonly incarnation: string; readonly reach: SharedArrayBuffer };
}

export type ToWorker =
  | { readonly kind: 'policy'; readonly id: number; readonly target: string; readonly policy: StandingPolicy }
  | { readonly kind: 'endpoints'; readonly target: string; readonly list: readonly EndpointInput[] }
  /** A way to wake another worker, and to be woken by it. */
  | { readonly kind: 'neighbour'; readonly seat: number; readonly port: MessagePort }
  /** Permits were granted to this seat. */
  | { readonly kind: 'granted' }
  | { readonly kind: 'streams'; readonly id: number }
  | { readonly kind: 'recorded'; readonly id: number }
  /** What became of a request that it parked. */
  | { readonly kind: 'parked'; readonly id: number; readonly result: number }
  | { readonly kind: 'deliver'; readonly id: number; readonly request: DeliveryRequest }
  | { readonly kind: 'drain' }
  | { readonly kind: 'close' };

export type FromWorker =
  | { readonly kind: 'listening' }
  /** Readings after the drain began have been sent. */
  | { readonly kind: 'draining' }
  /** `error` is empty when the policy is in force. */
  | { readonly kind: 'applied'; readonly id: number; readonly error: string }
  | { readonly kind: 'streams'; readonly id: number; readonly views: StreamView[] }
  | { readonly kind: 'recorded'; readonly id: number; readonly recorded: RecordedTraffic }
  /** The first request for a target, in this worker. */
  | { readonly kind: 'target'; readonly target: string; readonly traffic: SharedArrayBuffer }
  | {
      readonly kind: 'park';
      readonly id: number;
      readonly request: Parkable;
      readonly body: Uint8Array;
      readonly messagesMax: number;
    }
  | { readonly kind: 'delivered'; readonly id: number; readonly end: DeliveryEnd }
  | { readonly kind: 'counts'; readonly target: string; readonly counts: TargetCountsView }
  | {
      readonly kind: 'transition';
      readonly target: string;
      readonly transition: BreakerTransition;
      readonly route: string;
    }
  | { readonly kind: 'readings'; readonly readings: PlaneReadings }
  | { readonly kind: 'log'; readonly level: LogLevel; readonly msg: string; readonly fields: LogFields };
