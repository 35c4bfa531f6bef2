/** The buckets and streams Weir keeps in JetStream, and their bounds. */
import { buckets, republish, streams } from '../../proto/subjects.ts';

export interface BucketSettings {
  readonly name: string;
  /** The bucket's entries are also published, as core messages, at `weir.pol.…` instead of `$KV.weir_policy.…`. */
  readonly republishTo?: string;
  readonly bytesMax: number;
  readonly valueBytesMax: number;
  readonly replicas: number;
  /** Whether replicas may answer sidecars' reads; never for a lease. */
  readonly allowDirect: boolean;
}

export interface StreamSettings {
  readonly name: string;
  readonly subjects: readonly string[];
  readonly bytesMax: number;
  readonly ageMaxMs: number;
  readonly replicas: number;
  /** A queue: what is full refuses, and what was acknowledged is gone. null = a ring, where the oldest make room. */
  readonly queue: QueueSettings | null;
}

export interface QueueSettings {
  /** For one consumer each subject; else messages stay until they are deleted. */
  readonly isWorkQueue: boolean;
  readonly messagesMax: number;
  readonly messagesPerSubjectMax: number;
  readonly messageBytesMax: number;
}

const mebibyte = 1024 * 1024;
const weekMs = 7 * 24 * 3_600_000;

/** Largest document or bundle. */
export const policyBytesMax = mebibyte;

export function policyBucket(replicas: number): BucketSettings {
  return {
    name: buckets.policy,
    republishTo: republish.policy,
    bytesMax: 256 * mebibyte,
    // The value and its headers.
    valueBytesMax: policyBytesMax + 4096,
    replicas,
    allowDirect: true,
  };
}

export function endpointsBucket(replicas: number): BucketSettings {
  return {
    name: buckets.endpoints,
    republishTo: republish.endpoints,
    bytesMax: 64 * mebibyte,
    valueBytesMax: mebibyte,
    replicas,
    allowDirect: true,
  };
}

export function leaseBucket(replicas: number): BucketSettings {
  return {
    name: buckets.lease,
    republishTo: republish.lease,
    bytesMax: mebibyte,
    valueBytesMax: 4096,
    replicas,
    allowDirect: false,
  };
}

/** Nothing republishes it, and no replica answers for the leader: a revoked token is revoked. */
export function accessBucket(replicas: number): BucketSettings {
  return { name: buckets.access, bytesMax: 4 * mebibyte, valueBytesMax: 8192, replicas, allowDirect: false };
}

/** Audit, transitions, refusals: a ring of a week. */
export function eventsStream(replicas: number): StreamSettings {
  return {
    name: streams.events,
    subjects: [streams.eventsSubject],
    bytesMax: 512 * mebibyte,
    ageMaxMs: weekMs,
    replicas,
    queue: null,
  };
}

/** What a stream of requests holds: the longest content that a policy can allow, with its head. */
const requestQueue = {
  messagesMax: 1_000_000,
  // One service leaves room for the others.
  messagesPerSubjectMax: 250_000,
  messageBytesMax: 640 * 1024,
};

/** Parked requests. One that nobody delivers for a week is dropped by the stream itself. */
export function retryStream(replicas: number): StreamSettings {
  return {
    name: streams.retry,
    subjects: [streams.retrySubjects],
    bytesMax: 256 * mebibyte,
    ageMaxMs: weekMs,
    replicas,
    queue: { ...requestQueue, isWorkQueue: true },
  };
}

/** Dead letters, for a month. */
export function deadStream(replicas: number): StreamSettings {
  return {
    name: streams.dead,
    subjects: [streams.deadSubjects],
    bytesMax: 256 * mebibyte,
    ageMaxMs: 30 * 24 * 3_600_000,
    replicas,
    queue: { ...requestQueue, isWorkQueue: false },
  };
}
