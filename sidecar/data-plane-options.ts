/** What a data plane is made of, whether it carries all requests or is one of several threads. */
import type { Log } from '../proto/kernel/log-format.ts';
import type { PolicySpec } from '../proto/policy/schema.ts';
import type { Seat } from './admission/seat.ts';
import type { SidecarConfig } from './config.ts';
import type { Parker } from './exchange/parker.ts';
import type { StandingPolicy } from './policy/swap.ts';
import type { BreakerTransition } from './resilience/breaker.ts';

export interface DataPlaneOptions {
  readonly config: SidecarConfig;
  readonly meshToken: string | undefined;
  readonly seed: number;
  /** In force from the start, by target. */
  readonly policies: ReadonlyMap<string, StandingPolicy>;
  readonly log: Log;
  /** null: nothing can be parked. */
  readonly parker: Parker | null;
  /** What this thread has in common with others; null in a proxy of one thread. */
  readonly common: Common | null;
}

/** Of a thread that is one of several: limits and counters stand in memory that all of them, or the main thread, see. */
export interface Common {
  readonly seat: Seat;
  readonly keySeeds: readonly [number, number];
  /** Of TLS session tickets: a client resumes on whichever thread takes its connection. */
  readonly ticketSeed: Uint8Array;
  readonly inboundTraffic: SharedArrayBuffer;
  readonly unrouted: SharedArrayBuffer;
  readonly accessLines: SharedArrayBuffer;
  /** DeliveryCredit */
  readonly delivery: SharedArrayBuffer;
  readonly contexts: SharedArrayBuffer;
  trafficOf(target: string): SharedArrayBuffer;
  /** `route`: whose breaker; '' = the service's. */
  onTransition(target: string, transition: BreakerTransition, route: string): void;
}

/** Where the data plane listens, as the first log line says it. */
export interface ListeningAddresses {
  inbound?: string;
  outbound?: string;
  upstreams?: Readonly<Record<string, string>>;
}

export interface WorkersOptions {
  readonly config: SidecarConfig;
  readonly meshToken: string | undefined;
  readonly seed: number;
  readonly filePolicies: ReadonlyMap<string, PolicySpec>;
  readonly log: Log;
  readonly parker: Parker;
  readonly incarnation: string;
}
