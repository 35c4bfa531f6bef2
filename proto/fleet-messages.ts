/**
 * The messages of proto/weir/v1/fleet.proto as TypeScript sees them once decoded: every scalar is present, every list
 * is an array, 64-bit numbers are plain numbers. Only types: pure folders import them from here, the codec that fills
 * them is fleet.ts.
 */
export interface Identity {
  readonly namespace: string;
  readonly service: string;
  readonly instance: string;
  readonly incarnation: string;
  readonly zone: string;
  readonly version: string;
}

export interface Heartbeat {
  readonly v: number;
  readonly identity: Identity;
  readonly seq: number;
  readonly address: string;
  readonly draining: boolean;
  readonly intervalMs: number;
  readonly policies: readonly Applied[];
  readonly traffic: readonly Traffic[];
  readonly breakers: readonly BreakerStatus[];
  readonly process: ProcessStatus | null;
}

export interface Applied {
  readonly target: string;
  readonly epoch: string;
  readonly version: number;
  readonly hash: string;
  /** applied, rejected or held. */
  readonly status: string;
  readonly message: string;
}

export interface Ack {
  readonly v: number;
  readonly identity: Identity;
  readonly applied: Applied;
}

export interface Traffic {
  /** inbound or outbound. */
  readonly direction: string;
  readonly peer: string;
  readonly requests: number;
  readonly success: number;
  readonly failure: number;
  readonly rejected: Readonly<Record<string, number>>;
  readonly latencyBuckets: readonly number[];
  readonly inFlight: number;
  readonly concurrencyLimit: number;
  readonly queueDepth: number;
}

export interface BreakerStatus {
  readonly target: string;
  readonly local: string;
  readonly fleet: string;
  readonly generation: number;
  readonly ageMs: number;
  readonly cause: string;
}

export interface ProcessStatus {
  readonly rssBytes: number;
  readonly heapBytes: number;
  readonly bufferedBytes: number;
  readonly loopLagMs: number;
  readonly connections: number;
  readonly streams: number;
  readonly uptimeMs: number;
}

export interface Report {
  readonly v: number;
  readonly identity: Identity;
  readonly epochSeen: string;
  readonly seq: number;
  readonly intervalMs: number;
  readonly targets: readonly TargetCounts[];
  readonly quotas: readonly QuotaReport[];
}

export interface QuotaReport {
  readonly key: string;
  readonly demand: number;
  readonly admitted: number;
  readonly overshoot: number;
  readonly heldEpoch: string;
  readonly heldSeq: number;
  readonly ratePerSecond: number;
  readonly safeRatePerSecond: number;
  readonly members: number;
  readonly leaving: boolean;
  readonly policyVersion: number;
  readonly chunkLeft: number;
}

export interface TargetCounts {
  readonly target: string;
  readonly generation: number;
  readonly n: number;
  readonly fail: number;
  readonly slow: number;
  readonly localFail: number;
  readonly shed: number;
  readonly latencyMeanMs: number;
  readonly endpoints: readonly EndpointCounts[];
  readonly demand: number;
  readonly tokensHeld: number;
  readonly tokensUsed: number;
  readonly probesOk: number;
  readonly probesFailed: number;
  readonly round: number;
  readonly tokensLive: boolean;
  readonly fleetState: string;
  readonly openedAtWallMs: number;
  readonly membersHash: string;
}

export interface EndpointCounts {
  readonly address: string;
  readonly n: number;
  readonly fail: number;
}

export interface Verdict {
  readonly v: number;
  readonly target: string;
  readonly state: string;
  readonly generation: number;
  readonly epoch: string;
  readonly openedAtWallMs: number;
  readonly coolMs: number;
  readonly ttlMs: number;
  readonly membersHash: string;
  readonly members: readonly string[];
  readonly allow: number;
  readonly evidence: Evidence | null;
  readonly zone: string;
  readonly sentAtWallMs: number;
  readonly expiresInMs: number;
  readonly suspects: readonly string[];
  readonly ejected: readonly string[];
  readonly reportEveryMs: number;
  readonly askTarget: boolean;
}

export interface Evidence {
  readonly voters: number;
  readonly failingVoters: number;
  readonly quorum: number;
  readonly n: number;
  readonly fail: number;
  readonly windowMs: number;
  readonly text: string;
  readonly worst: readonly VoterEvidence[];
  readonly rule: string;
}

export interface VoterEvidence {
  readonly instance: string;
  readonly n: number;
  readonly fail: number;
}

export interface Grant {
  readonly v: number;
  readonly incarnation: string;
  readonly answersSeq: number;
  readonly epoch: string;
  readonly tokens: readonly ProbeToken[];
  readonly leases: readonly RateLease[];
}

export interface ProbeToken {
  readonly target: string;
  readonly generation: number;
  readonly round: number;
  readonly k: number;
  readonly ttlMs: number;
  readonly healthCheck: boolean;
}

export interface RateLease {
  readonly key: string;
  readonly ratePerSecond: number;
  readonly burst: number;
  readonly ttlMs: number;
  readonly safeRatePerSecond: number;
  readonly policyVersion: number;
  readonly safeForMs: number;
  readonly members: number;
  readonly chunk: number;
}

export interface SlotResult {
  readonly v: number;
  readonly identity: Identity;
  readonly target: string;
  readonly membersHash: string;
  readonly slot: number;
  readonly ok: boolean;
}

export interface Endpoints {
  readonly v: number;
  readonly service: string;
  readonly epoch: string;
  readonly version: number;
  readonly endpoints: readonly Endpoint[];
}

export interface Endpoint {
  readonly instance: string;
  readonly address: string;
  readonly zone: string;
  readonly draining: boolean;
}

export interface Command {
  readonly v: number;
  readonly name: string;
  readonly mustUnderstand: readonly string[];
  readonly json: string;
}

export interface CommandReply {
  readonly v: number;
  readonly ok: boolean;
  readonly message: string;
  readonly json: string;
}

/** What `encode` takes: anything left out is the type's zero. */
export type Draft<T> = T extends readonly (infer Item)[]
  ? readonly Draft<Item>[]
  : T extends object
    ? { readonly [Field in keyof T]?: Draft<T[Field]> | undefined }
    : T;
