/** What leases and chunks have in common: reports of one limit in, answers to them out. */
import type { Identity, RateLease } from '../../proto/fleet-messages.ts';
import type { FleetLimit } from '../../proto/policy/fleet-limits.ts';
import type { HeardQuota } from './quota-member.ts';

/** An answer to a report; of which limit, under which policy, is filled in by the coordinator. */
export interface LeaseDraft {
  readonly identity: Identity;
  readonly answersSeq: number;
  readonly lease: Omit<RateLease, 'key' | 'policyVersion'> & { key: string; policyVersion: number };
}

/** Rates are cost per second. */
export interface SharingReading {
  readonly rate: number;
  readonly instancesMax: number;
  /** Instances that may hold something. */
  readonly members: number;
  /** Of them, those that were heard within the time of a lease. */
  readonly heard: number;
  readonly demand: number;
  readonly admitted: number;
  /** What those that are heard may admit. */
  readonly leased: number;
  /** What is kept for those that are not heard, or not known. */
  readonly reserved: number;
  /** Cost that was admitted without a lease, as reported since the control plane began. */
  readonly overshoot: number;
  /** This control plane shares it out; another one's view is what it hears. */
  readonly isLeading: boolean;
  /** A new leader that only gives back what is held. */
  readonly isSettling: boolean;
}

export interface QuotaSharing {
  limit: FleetLimit;
  /** `isFirst`: no other leader can have shared this limit before. */
  lead(epoch: string, isFirst: boolean, nowMs: number): void;
  follow(): void;
  /** False when it says nothing new. */
  onReport(heard: HeardQuota, nowMs: number): boolean;
  tick(nowMs: number): LeaseDraft[];
  reading(nowMs: number): SharingReading;
}
