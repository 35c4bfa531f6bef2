/**
 * What the control link needs from the proxy, and nothing else: the link can be tested with a fake of these, and the
 * data path does not know that NATS exists.
 */
import type { Endpoint, Identity, ProcessStatus, Traffic } from '../../../proto/fleet-messages.ts';
import type { Random } from '../../../proto/kernel/random.ts';
import type { Bundle } from '../../../proto/policy/bundle.ts';
import type { FleetRateLimiter } from '../../admission/fleet-rate-limiter.ts';
import type { Breaker } from '../../resilience/breaker.ts';
import type { OwnTraffic } from '../../resilience/fleet-caller.ts';
import type { TargetCounts } from '../../resilience/target-counts.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type Log = (level: LogLevel, message: string, fields: Readonly<Record<string, unknown>>) => void;

export interface BundleVerdict {
  readonly status: 'applied' | 'rejected' | 'held';
  readonly message: string;
}

export interface Mesh {
  readonly identity: Identity;
  /** host:port of the inbound listener as callers reach it; '' when there is none. */
  advertise(): string;
  isDraining(): boolean;
  drain(): void;
  targetsInUse(): Iterable<TargetLink>;
  /** Calls back at the first use of each target from now on. */
  onTargetUsed(callback: (target: TargetLink) => void): void;
  /** `target` is the own service or one in use. A promise where the bundle takes force in several threads. */
  applyBundle(target: string, bundle: Bundle, nowMs: number): BundleVerdict | Promise<BundleVerdict>;
  /** Of the own service: the limits that the fleet shares, and the version of the policy that has them. */
  fleetLimits(): Iterable<{ readonly key: string; readonly limiter: FleetRateLimiter }>;
  policyVersion(): number;
  heartbeatTraffic(): Traffic[];
  /** What reached the own app since the start; absent where there is none. */
  ownTraffic?: () => OwnTraffic;
  process(): ProcessStatus;
  dump(): unknown;
  /** What a TrafficPolicy, as JSON, would have done with the traffic that was recorded. Never rejects. */
  rehearse(policy: string): Promise<{ readonly ok: boolean; readonly message: string; readonly json: string }>;
  nowMs(): number;
  readonly random: Random;
  readonly log: Log;
}

/** A service that this proxy calls. */
export interface TargetLink {
  /** `<ns>/<svc>`. */
  readonly key: string;
  /** The one in force; another one after a policy changed it. */
  readonly breaker: Breaker | null;
  readonly counts: TargetCounts;
  /** Addresses that the fleet has found to fail while the others serve; in place of those it said before. */
  setEjected?(addresses: readonly string[]): void;
  /** Any one of its endpoints, to see whether it can be reached. */
  anyAddress?(): string;
  setEndpoints(endpoints: readonly Endpoint[]): void;
  /** Set by the link, called after a failed outcome was counted, so that its report goes out at once. */
  onFailure?: (() => void) | undefined;
  /** Set by the link, called when a probe was answered. */
  onProbe?: (() => void) | undefined;
}
